package trusted_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/auth/trusted"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

const (
	loginURL = "https://login.example.com/realms/acme"
	acme     = cloud.ID("0198a1b2-0000-7000-8000-00000000000a")
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func good() trusted.Issuer {
	return trusted.Issuer{URL: loginURL, Audience: "gpu-cloud", Organizations: []cloud.ID{acme}}
}

func TestIssuersThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*trusted.Issuer)
		says   string
	}{
		"in the clear":            {func(i *trusted.Issuer) { i.URL = "http://login.example.com" }, "http only on this machine"},
		"no URL":                  {func(i *trusted.Issuer) { i.URL = "" }, "https://login.example.com"},
		"a URL with a query":      {func(i *trusted.Issuer) { i.URL += "?a=b" }, "without user, query or fragment"},
		"a URL with a password":   {func(i *trusted.Issuer) { i.URL = "https://a:b@login.example.com" }, "without user, query or fragment"},
		"no audience":             {func(i *trusted.Issuer) { i.Audience = "" }, "audience is missing"},
		"a long audience":         {func(i *trusted.Issuer) { i.Audience = strings.Repeat("a", 256) }, "at most 255 bytes"},
		"a long claim":            {func(i *trusted.Issuer) { i.SubjectClaim = strings.Repeat("a", 256) }, "at most 255 bytes"},
		"no organizations":        {func(i *trusted.Issuer) { i.Organizations = nil }, "organizations are the ids"},
		"too many organizations":  {func(i *trusted.Issuer) { i.Organizations = slices.Repeat([]cloud.ID{acme}, 1001) }, "1 to 1000"},
		"an organization by name": {func(i *trusted.Issuer) { i.Organizations = []cloud.ID{acme, "acme"} }, "organizations[1]"},
	} {
		i := good()
		c.change(&i)
		_, err := trusted.Open(trusted.Config{Issuers: []trusted.Issuer{i}})
		if cloud.CodeOf(err) != cloud.CodeInvalid || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v; want it to say %q", name, err, c.says)
		}
	}
	for name, issuers := range map[string][]trusted.Issuer{
		"the same one twice": {good(), good()}, "too many": slices.Repeat([]trusted.Issuer{good()}, 21),
	} {
		if _, err := trusted.Open(trusted.Config{Issuers: issuers}); cloud.CodeOf(err) != cloud.CodeInvalid {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestIdsOfOrganizationsCompareInOneForm(t *testing.T) {
	t.Parallel()
	i := good()
	i.Organizations = []cloud.ID{cloud.ID(strings.ToUpper(string(acme)))}
	opened, err := trusted.Open(trusted.Config{Issuers: []trusted.Issuer{i}})
	if err != nil || !slices.Equal(opened[0].Organizations, []cloud.ID{acme}) {
		t.Errorf("got %+v, %v", opened, err)
	}
}

// documents is a network on which there is what a test says, by URL.
type documents map[string]string

// RoundTrip implements http.RoundTripper.
func (d documents) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	if text, ok := d[r.URL.String()]; ok {
		_, _ = answer.WriteString(text)
	} else {
		answer.WriteHeader(http.StatusNotFound)
	}
	return answer.Result(), nil
}

func keysOf(t *testing.T, issuer string, network http.RoundTripper, log *bytes.Buffer) (*auth.KeySet, error) {
	t.Helper()
	i := good()
	i.URL = issuer
	opened, err := trusted.Open(trusted.Config{
		Issuers: []trusted.Issuer{i}, Log: slog.New(slog.NewTextHandler(log, nil)), Now: time.Now, Transport: network,
	})
	if err != nil {
		t.Fatal(err)
	}
	return opened[0].Keys.Keys(t.Context())
}

// What an issuer publishes is believed only as far as nobody else can have
// written it.
func TestWhereKeysAreFound(t *testing.T) {
	t.Parallel()
	const discovery = "/.well-known/openid-configuration"
	discovered := func(issuer, keys string) string { return fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, issuer, keys) }
	const none = `{"keys":[]}`
	for name, c := range map[string]struct {
		issuer  string
		network documents
		says    string // "" where it is believed
	}{
		"beside the issuer":          {loginURL, documents{loginURL + discovery: discovered(loginURL, loginURL+"/keys"), loginURL + "/keys": none}, ""},
		"on another host":            {loginURL, documents{loginURL + discovery: discovered(loginURL, "https://keys.example.com/v1?k=1"), "https://keys.example.com/v1?k=1": none}, ""},
		"of an issuer with a slash":  {loginURL + "/", documents{loginURL + discovery: discovered(loginURL+"/", loginURL+"/keys"), loginURL + "/keys": none}, ""},
		"all on this machine":        {"http://127.0.0.1:1", documents{"http://127.0.0.1:1" + discovery: discovered("http://127.0.0.1:1", "http://localhost:2/keys"), "http://localhost:2/keys": none}, ""},
		"in the clear":               {loginURL, documents{loginURL + discovery: discovered(loginURL, "http://login.example.com/keys"), "http://login.example.com/keys": none}, "must begin with https://"},
		"on this machine":            {loginURL, documents{loginURL + discovery: discovered(loginURL, "http://127.0.0.1/keys"), "http://127.0.0.1/keys": none}, "must begin with https://"},
		"elsewhere in the clear":     {"http://127.0.0.1:1", documents{"http://127.0.0.1:1" + discovery: discovered("http://127.0.0.1:1", "http://10.0.0.1/keys"), "http://10.0.0.1/keys": none}, "must begin with https://"},
		"in a file":                  {loginURL, documents{loginURL + discovery: discovered(loginURL, "file:///etc/passwd")}, "must begin with https://"},
		"nowhere":                    {loginURL, documents{loginURL + discovery: discovered(loginURL, "")}, "must begin with https://"},
		"of who has another name":    {loginURL, documents{loginURL + discovery: discovered("https://evil.example.com", loginURL+"/keys"), loginURL + "/keys": none}, "calls itself"},
		"of who has a slash more":    {loginURL, documents{loginURL + discovery: discovered(loginURL+"/", loginURL+"/keys"), loginURL + "/keys": none}, "calls itself"},
		"no discovery":               {loginURL, documents{}, "answered with 404"},
		"a discovery that is a page": {loginURL, documents{loginURL + discovery: "<html>"}, "not an issuer's"},
		"keys that are a page":       {loginURL, documents{loginURL + discovery: discovered(loginURL, loginURL+"/keys"), loginURL + "/keys": "<html>"}, "not a set of keys"},
		"no keys":                    {loginURL, documents{loginURL + discovery: discovered(loginURL, loginURL+"/keys"), loginURL + "/keys": "{}"}, "not a set of keys"},
		"more than a MiB of keys":    {loginURL, documents{loginURL + discovery: discovered(loginURL, loginURL+"/keys"), loginURL + "/keys": none + strings.Repeat(" ", 1<<20)}, "over 1048576 bytes"},
		"a MiB of keys":              {loginURL, documents{loginURL + discovery: discovered(loginURL, loginURL+"/keys"), loginURL + "/keys": none + strings.Repeat(" ", 1<<20-len(none))}, ""},
	} {
		var log bytes.Buffer
		keys, err := keysOf(t, c.issuer, c.network, &log)
		switch {
		case c.says == "" && (err != nil || !slices.Equal(keys.Issuers, []string{c.issuer})):
			t.Errorf("%s: got %v, %v", name, keys, cloud.Explain(err))
		case c.says != "" && (cloud.CodeOf(err) != cloud.CodeUnavailable || !strings.Contains(log.String(), c.says)):
			t.Errorf("%s: got %v and the log %s; want it to say %q", name, err, log.String(), c.says)
		}
	}
}

// Of a set only what verifies is taken, by the one algorithm of its type.
func TestWhichKeysAreTaken(t *testing.T) {
	t.Parallel()
	private := must(rsa.GenerateKey(rand.Reader, 2048))
	short := must(rsa.GenerateKey(rand.Reader, 1024))
	ec, other := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	set := must(json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: &private.PublicKey, KeyID: "rsa"},
		{Key: &private.PublicKey, KeyID: "rsa named", Algorithm: "RS256", Use: "sig"},
		{Key: &ec.PublicKey, KeyID: "ec"},
		{Key: &ec.PublicKey, KeyID: "ec named", Algorithm: "ES256"},
		{Key: &private.PublicKey, KeyID: "another algorithm", Algorithm: "RS512"},
		{Key: &private.PublicKey, KeyID: "another padding", Algorithm: "PS256"},
		{Key: &private.PublicKey, KeyID: "a wrong name", Algorithm: "ES256"},
		{Key: &private.PublicKey, KeyID: "a secret's name", Algorithm: "HS256"},
		{Key: &private.PublicKey, KeyID: "another use", Use: "enc"},
		{Key: &private.PublicKey},
		{Key: &short.PublicKey, KeyID: "short"},
		{Key: &other.PublicKey, KeyID: "another curve"},
		{Key: private, KeyID: "private"},
		{Key: []byte("secret"), KeyID: "secret"},
		{Key: []byte("secret"), KeyID: "secret", Algorithm: "RS256"},
	}}))
	keys, err := keysOf(t, loginURL, documents{
		loginURL + "/.well-known/openid-configuration": fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, loginURL, loginURL+"/keys"), loginURL + "/keys": string(set),
	}, &bytes.Buffer{})
	if err != nil {
		t.Fatal(cloud.Explain(err))
	}
	got := map[string]string{}
	for id, key := range keys.Keys {
		got[id] = key.Algorithm
	}
	want := map[string]string{"rsa": "RS256", "rsa named": "RS256", "ec": "ES256", "ec named": "ES256"}
	if !maps.Equal(got, want) {
		t.Error(cmp.Diff(want, got))
	}
}

// A real server with a real certificate.
func TestOverTLS(t *testing.T) {
	t.Parallel()
	var server *httptest.Server
	server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			fmt.Fprint(w, `{"keys":[]}`)
			return
		}
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, server.URL, server.URL+"/keys")
	}))
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	for name, c := range map[string]struct {
		roots *x509.CertPool
		want  cloud.Code
	}{"a certificate that is trusted": {roots, ""}, "one that is not": {x509.NewCertPool(), cloud.CodeUnavailable}} {
		i := good()
		i.URL = server.URL
		opened, err := trusted.Open(trusted.Config{Issuers: []trusted.Issuer{i}, Log: slog.New(slog.DiscardHandler), Now: time.Now, Roots: c.roots})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = opened[0].Keys.Keys(t.Context()); cloud.CodeOf(err) != c.want || err != nil && c.want == "" {
			t.Errorf("%s: got %v", name, cloud.Explain(err))
		}
	}
}
