package auth_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/auth/issuer"
	"github.com/penstock-cloud/penstock/internal/auth/published"
	"github.com/penstock-cloud/penstock/internal/auth/trusted"
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/federation"
	"github.com/penstock-cloud/penstock/internal/infrastructureapi"
	"github.com/penstock-cloud/penstock/internal/managementapi"
	"github.com/penstock-cloud/penstock/internal/region"
	"github.com/penstock-cloud/penstock/internal/store/memory"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
	"github.com/penstock-cloud/penstock/internal/store/sqlite/sqlitetest"
)

// Where everything is on the network of these tests, and what it is called there.
const (
	planeHost, regionHost, loginHost = "plane.example.com", "west.example.com", "login.example.com"

	planeURL = "https://" + planeHost
	loginURL = "https://" + loginHost
	foreign  = "gpu-cloud" // the audience of the other issuer's tokens for us
	subject  = "idp|ada"   // as the other issuer calls her
)

// Keys are slow to make, and these are nobody's.
var (
	loginRSA  = sync.OnceValue(makeRSA)
	thiefRSA  = sync.OnceValue(makeRSA)
	loginEC   = sync.OnceValue(makeEC)
	thiefEC   = sync.OnceValue(makeEC)
	loginEd   = sync.OnceValue(makeEd)
	secondRSA = sync.OnceValue(makeRSA)
)

func makeRSA() *rsa.PrivateKey  { return must(rsa.GenerateKey(rand.Reader, 2048)) }
func makeEC() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

func makeEd() ed25519.PrivateKey {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	return must(private, err)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// network carries every request of a test to whom it is for, and counts them.
type network struct {
	mu    sync.Mutex
	hosts map[string]http.Handler
	down  map[string]bool
	asked map[string]int // by host and path
}

var errDown = errors.New("no route to host")

// RoundTrip implements http.RoundTripper.
func (n *network) RoundTrip(r *http.Request) (*http.Response, error) {
	n.mu.Lock()
	n.asked[r.URL.Host+r.URL.Path]++
	n.asked[r.URL.Host]++
	host, down := n.hosts[r.URL.Host], n.down[r.URL.Host]
	n.mu.Unlock()
	if host == nil || down {
		return nil, errDown
	}
	incoming := r.Clone(r.Context())
	incoming.RequestURI = r.URL.RequestURI()
	if incoming.Body == nil {
		incoming.Body = http.NoBody // as servers have it
	}
	answer := httptest.NewRecorder()
	host.ServeHTTP(answer, incoming)
	return answer.Result(), nil
}

func (n *network) cut(host string, down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down[host] = down
}

func (n *network) count(what string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked[what]
}

// login is another issuer, with the documents that such have.
type login struct {
	mu       sync.Mutex
	keys     []jose.JSONWebKey
	redirect string // where its keys are said to be instead
}

func (l *login) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case r.URL.Path == "/.well-known/openid-configuration":
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": loginURL, "jwks_uri": loginURL + "/keys"})
	case r.URL.Path == "/keys" && l.redirect != "":
		http.Redirect(w, r, l.redirect, http.StatusFound)
	case r.URL.Path == "/keys":
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: l.keys})
	default:
		http.NotFound(w, r)
	}
}

func (l *login) publish(keys ...jose.JSONWebKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keys = keys
}

func loginKeys() []jose.JSONWebKey {
	return []jose.JSONWebKey{
		{Key: &loginRSA().PublicKey, KeyID: "rsa", Use: "sig"}, // as many issuers do, without alg
		{Key: &loginEC().PublicKey, KeyID: "ec", Algorithm: "ES256", Use: "sig"},
		{Key: loginEd().Public(), KeyID: "ed", Algorithm: "EdDSA"},
	}
}

// field is a plane and a region as in production, on real databases, and another
// issuer that both trust for acme; time is the test's.
type field struct {
	t     *testing.T
	net   *network
	login *login
	store cloud.Store
	ours  *issuer.Issuer
	use   control.Operator
	log   bytes.Buffer

	acme, globex cloud.ID
	ada          cloud.ID // an editor of both
}

func onField(t *testing.T, story func(t *testing.T, f *field)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newField(t)
		story(t, f)
		synctest.Wait() // for what is asked in the background
	})
}

func newField(t *testing.T) *field {
	t.Helper()
	f := &field{
		t: t, login: &login{keys: loginKeys()},
		net:   &network{hosts: map[string]http.Handler{}, down: map[string]bool{}, asked: map[string]int{}},
		store: must(sqlite.OpenPlane(t.Context(), sqlitetest.Plane(t, filepath.Join(t.TempDir(), "plane.db")))),
	}
	t.Cleanup(func() { _ = f.store.Close() })
	f.net.hosts[loginHost] = f.login
	log := slog.New(slog.NewTextHandler(&f.log, nil))
	var ids atomic.Int64
	newID := func() cloud.ID { return cloud.ID(fmt.Sprintf("019cae00-0000-7000-9000-%012x", ids.Add(1))) }
	use := control.New(f.store, time.Now, newID, cloud.DefaultHealthPolicy)
	f.use = use.As(cloud.Actor{Kind: cloud.ActorOperator, ID: "root"})
	f.ours = issuer.New(f.store, time.Now, newID)
	f.do(use.Start(t.Context(), planeURL))
	f.do(f.ours.EnsureKey(t.Context()))
	f.acme = must(f.use.CreateOrganization(t.Context(), "acme", "")).ID
	f.globex = must(f.use.CreateOrganization(t.Context(), "globex", "")).ID
	f.ada = must(f.use.EnsureMember(t.Context(), "ada@example.com", "editor", "acme")).User.ID
	must(f.use.EnsureMember(t.Context(), "ada@example.com", "editor", "globex"))
	must(f.use.LinkIdentity(t.Context(), "ada@example.com", loginURL, subject))
	f.servePlane(use, newID, log)
	f.serveRegion(must(f.use.CreateRegion(t.Context(), "west", "https://"+regionHost)), newID, log)
	return f
}

func (f *field) do(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *field) trust(log *slog.Logger) []auth.Trusted {
	f.t.Helper()
	issuers, err := trusted.Open(trusted.Config{
		Issuers: []trusted.Issuer{{URL: loginURL, Audience: foreign, Organizations: []cloud.ID{f.acme}}},
		Log:     log, Now: time.Now, Transport: f.net,
	})
	f.do(err)
	return issuers
}

func from(*http.Request) string { return "192.0.2.1" }

func (f *field) servePlane(use *control.Control, newID func() cloud.ID, log *slog.Logger) {
	f.t.Helper()
	api, err := managementapi.NewServer(managementapi.Config{
		Control: use, Verifier: auth.NewVerifier(f.ours, time.Now).Trusting(use, f.trust(log)...), Log: log, Now: time.Now, ClientAddress: from,
	})
	f.do(err)
	reports, err := federation.NewServer(federation.ServerConfig{Log: log, ClientAddress: from, Plane: federation.NewPlane(federation.PlaneConfig{
		Store: f.store, Health: cloud.DefaultHealthPolicy, Log: log, Now: time.Now, NewID: newID, Rand: func() float64 { return 0.5 },
	})})
	f.do(err)
	fail := func(w http.ResponseWriter, _ *http.Request, err error) {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
	mux := http.NewServeMux()
	mux.Handle("/api/", api)
	mux.Handle("/federation/", reports)
	mux.HandleFunc("GET "+issuer.DiscoveryPath, func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": planeURL})
	})
	mux.Handle("GET "+issuer.JWKSPath, issuer.JWKS(f.ours, fail))
	f.net.hosts[planeHost] = mux
}

func (f *field) serveRegion(credential cloud.Secret, newID func() cloud.ID, log *slog.Logger) {
	f.t.Helper()
	store := memory.NewRegion("019cae00-0000-7000-8000-000000000900")
	plane, err := federation.NewGrantClient(federation.ReporterConfig{Region: "west", Plane: planeURL, Credential: credential, Transport: f.net})
	f.do(err)
	grants, err := region.OpenGrants(f.t.Context(), region.GrantsConfig{Store: store, Plane: plane, Log: log, Now: time.Now})
	f.do(err)
	keys, err := published.Open(f.t.Context(), published.Config{
		Store: store, Plane: planeURL, Log: log, Transport: f.net, Now: time.Now, After: time.After,
	})
	f.do(err)
	daemon := region.New(region.Config{Store: store, Log: log, NewID: newID, Now: time.Now, After: time.After, Alone: true})
	api, err := infrastructureapi.NewServer(infrastructureapi.Config{
		Region: region.NewTenants(region.TenantsConfig{Region: daemon, Authority: grants, Log: log}), Log: log, ClientAddress: from,
		Verifier: auth.NewVerifier(keys, time.Now).Trusting(region.NewAccounts(plane, time.Now), f.trust(log)...),
	})
	f.do(err)
	f.net.hosts[regionHost] = api
}

// The places that a token opens, each with a question that needs a membership.
var places = map[string]string{
	"the plane":  planeURL + "/api/v1alpha1/members",
	"the region": "https://" + regionHost + "/api/v1alpha1/projects",
}

// ask sends a token, and returns the status and the answer.
func (f *field) ask(method, url, token, body string, headers ...string) (int, string) {
	f.t.Helper()
	r := must(http.NewRequestWithContext(f.t.Context(), method, url, bytes.NewBufferString(body)))
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := f.net.RoundTrip(r)
	f.do(err)
	defer answer.Body.Close()
	var text bytes.Buffer
	_, _ = text.ReadFrom(answer.Body)
	return answer.StatusCode, text.String()
}

// opens demands what a token gets everywhere, for acme.
func (f *field) opens(what, token string, want int) {
	f.t.Helper()
	for place, url := range places {
		if got, answer := f.ask(http.MethodGet, url, token, "", "X-ORG-ID", string(f.acme)); got != want {
			f.t.Errorf("%s: %s answers %d, want %d: %s", what, place, got, want, answer)
		}
	}
}

// forger makes tokens of an issuer: good ones, and such as are good but for one
// thing.
type forger struct {
	issuer, audience, subject string
	kid                       string
	key                       *rsa.PrivateKey
	other                     string // another issuer that is believed, but not with this key
}

// forgers are the two issuers' hands.
func (f *field) forgers() map[string]forger {
	f.t.Helper()
	var keys []cloud.SigningKey
	f.do(f.store.Read(f.t.Context(), func(r cloud.Reader) (err error) {
		keys, err = r.SigningKeys()
		return err
	}))
	block, _ := pem.Decode([]byte(keys[0].PEM.Reveal()))
	return map[string]forger{
		"our own": {planeURL, auth.Audience, string(f.ada), keys[0].ID, must(x509.ParsePKCS8PrivateKey(block.Bytes)).(*rsa.PrivateKey), loginURL},
		"trusted": {loginURL, foreign, subject, "rsa", loginRSA(), planeURL},
	}
}

// claims are those of a good token, changed; nil takes one away.
func (g forger) claims(change jwt.MapClaims) jwt.MapClaims {
	now := time.Now()
	claims := jwt.MapClaims{
		"iss": g.issuer, "aud": g.audience, "sub": g.subject, "jti": "t", "iat": now.Unix(), "exp": now.Add(48 * time.Hour).Unix(),
	}
	maps.Copy(claims, change)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

// sign signs claims as well as whoever has the key can, with a header changed.
func (g forger) sign(method jwt.SigningMethod, key any, claims jwt.MapClaims, header map[string]any) string {
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = g.kid
	maps.Copy(token.Header, header)
	maps.DeleteFunc(token.Header, func(_ string, v any) bool { return v == nil })
	return must(token.SignedString(key))
}

func (g forger) good() string { return g.with(nil) }

func (g forger) with(claims jwt.MapClaims) string {
	return g.sign(jwt.SigningMethodRS256, g.key, g.claims(claims), nil)
}

func (g forger) header(name string, value any, key crypto.Signer) string {
	return g.sign(jwt.SigningMethodRS256, key, g.claims(nil), map[string]any{name: value})
}
