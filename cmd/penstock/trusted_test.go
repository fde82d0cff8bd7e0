package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/observe"
)

func TestTrustedIssuersOfARegion(t *testing.T) {
	t.Parallel()
	const id = "019cae00-0000-7000-8000-0000000000a1"
	for name, c := range map[string]struct{ yaml, says string }{
		"one":             {"{issuer: https://login.example.com, audience: gpu-cloud, organizations: [" + id + "], claims: {subject: oid}}", ""},
		"no audience":     {"{issuer: https://login.example.com, organizations: [" + id + "]}", "trusted_issuers: issuer https://login.example.com: audience is missing"},
		"in the clear":    {"{issuer: http://login.example.com, audience: gpu-cloud, organizations: [" + id + "]}", "http only on this machine"},
		"the plane":       {"{issuer: https://plane.example.com/, audience: gpu-cloud, organizations: [" + id + "]}", "is the plane itself"},
		"a wrong id":      {"{issuer: https://login.example.com, audience: gpu-cloud, organizations: [acme]}", "organizations[0]"},
		"a wrong field":   {"{issuer: https://login.example.com, audience: gpu-cloud, organisations: [" + id + "]}", "organisations"},
		"no issuer":       {"{audience: gpu-cloud, organizations: [" + id + "]}", "an issuer is a URL"},
		"no organization": {"{issuer: https://login.example.com, audience: gpu-cloud}", "organizations are the ids"},
	} {
		file := filepath.Join(t.TempDir(), "region.yaml")
		text := string(defaultSiteFile) + "\ntrusted_issuers:\n  - " + c.yaml + "\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		read, err := readSiteFile(file)
		if err == nil {
			opened, openErr := openTrusted(read.TrustedIssuers, "https://plane.example.com", slog.New(slog.DiscardHandler))
			if err = openErr; err == nil && (len(opened) != 1 || opened[0].SubjectClaim != "oid" || opened[0].Organizations[0] != cloud.ID(id)) {
				t.Errorf("%s: got %+v", name, opened)
			}
		}
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v; want it to say %q", name, err, c.says)
		}
	}
}

// TestATrustedIssuersTokenOpensThePlane proves of the plane as it is put
// together that it asks the issuer which the configuration names, and whose the
// subject is.
func TestATrustedIssuersTokenOpensThePlane(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var login *httptest.Server
	login = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: public, KeyID: "k"}}})
			return
		}
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, login.URL, login.URL+"/keys")
	}))
	defer login.Close()
	organization, ada := newID(), newID()
	config := planeConfig{
		database: database(filepath.Join(t.TempDir(), "plane.db")), url: "https://plane.example.com", policy: cloud.DefaultHealthPolicy,
		log: slog.New(slog.DiscardHandler), metrics: observe.NewMetrics("test"),
	}
	config.identity.TrustedIssuers = []trustedEntry{{Issuer: login.URL, Audience: "gpu-cloud", Organizations: []cloud.ID{organization}}}
	p, err := openPlane(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
		"iss": login.URL, "aud": "gpu-cloud", "sub": "idp|ada", "exp": time.Now().Add(time.Hour).Unix(),
	})
	token.Header["kid"] = "k"
	text, err := token.SignedString(private)
	if err != nil {
		t.Fatal(err)
	}
	answers := func(want int) {
		t.Helper()
		r := httptest.NewRequest(http.MethodGet, "/api/v1alpha1/members", nil)
		r.Header.Set("Authorization", "Bearer "+text)
		w := httptest.NewRecorder()
		if p.handler.ServeHTTP(w, r); w.Code != want {
			t.Errorf("got %d %s, want %d", w.Code, w.Body, want)
		}
	}
	err = p.store.Write(t.Context(), func(tx cloud.Writer) error {
		user := cloud.User{ID: ada, Email: "ada@example.com", Name: "Ada", Kind: cloud.Person, CreatedAt: time.Now()}
		return errors.Join(
			tx.CreateOrganization(cloud.Organization{ID: organization, Name: "engines", DisplayName: "Engines", CreatedAt: time.Now()}),
			tx.CreateUser(user),
			tx.AddMember(cloud.Member{OrganizationID: organization, User: user, Role: cloud.RoleViewer}),
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	answers(http.StatusUnauthorized)
	if _, err := p.control.As(system).LinkIdentity(t.Context(), "ada@example.com", login.URL, "idp|ada"); err != nil {
		t.Fatal(err)
	}
	answers(http.StatusOK)
}
