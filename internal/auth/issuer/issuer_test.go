package issuer_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/auth/issuer"
	"github.com/penstock-cloud/penstock/internal/auth/oauth"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

const (
	userID = cloud.ID("0198a1b2-0000-7000-8000-000000000001")
	orgID  = cloud.ID("0198a1b2-0000-7000-8000-000000000002")
	jti    = cloud.ID("0198a1b2-0000-7000-8000-000000000003")
	url    = "http://127.0.0.1:8080"
)

var (
	start   = time.Date(2026, 3, 1, 12, 0, 0, 500_000_000, time.UTC)
	errAway = cloud.Unavailable(errors.New("connection refused"))
)

// clock is a time that tests move; several processes may read it.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// process is one server or command on a database.
type process struct {
	*issuer.Issuer
	*auth.Verifier
}

func newProcess(s *store, c *clock) process {
	i := issuer.New(s, c.Now, func() cloud.ID { return jti })
	return process{i, auth.NewVerifier(i, c.Now)}
}

// newPlane is a plane after its first start.
func newPlane(t *testing.T) (process, *store, *clock) {
	t.Helper()
	s, c := &store{state: state{issuers: []string{url}}}, &clock{now: start}
	p := newProcess(s, c)
	if err := p.EnsureKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p, s, c
}

func (p process) mint(t *testing.T, ttl time.Duration) string {
	t.Helper()
	token, _, err := p.Mint(t.Context(), issuer.Claims{UserID: userID, TTL: ttl})
	if err != nil {
		t.Fatal(err)
	}
	return token.Reveal()
}

func (p process) rotate(t *testing.T) issuer.Rotation {
	t.Helper()
	r, err := p.Rotate(t.Context(), func(cloud.Writer, issuer.Rotation) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (p process) accepts(t *testing.T, token string) {
	t.Helper()
	if _, err := p.Verify(t.Context(), token); err != nil {
		t.Errorf("got %v; want the token accepted", err)
	}
}

func (p process) refuses(t *testing.T, token string, code cloud.Code) {
	t.Helper()
	if _, err := p.Verify(t.Context(), token); cloud.CodeOf(err) != code {
		t.Errorf("got %v; want %s", err, code)
	}
}

func TestMint(t *testing.T) {
	t.Parallel()
	p, s, _ := newPlane(t)
	s.edit(func(s *state) { s.issuers = []string{"https://new.example.com", url} })
	token, expires, err := p.Mint(t.Context(), issuer.Claims{UserID: userID, OrganizationID: orgID, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(token); strings.Contains(got, "ey") {
		t.Errorf("the token prints as %s", got)
	}
	if want := start.Truncate(time.Second).Add(time.Hour); !expires.Equal(want) {
		t.Errorf("got expiry %v; want %v", expires, want)
	}

	parts := strings.Split(token.Reveal(), ".")
	decode := func(part string) (m map[string]any) {
		b, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	wantHeader := map[string]any{"alg": "RS256", "typ": "JWT", "kid": s.state.keys[0].ID}
	if diff := cmp.Diff(wantHeader, decode(parts[0])); diff != "" {
		t.Error("header", diff)
	}
	issued := float64(start.Unix())
	wantClaims := map[string]any{
		"jti": string(jti), "iss": "https://new.example.com", "sub": string(userID), "aud": []any{"penstock"},
		"org_id": string(orgID), "iat": issued, "exp": issued + 3600,
	}
	if diff := cmp.Diff(wantClaims, decode(parts[1])); diff != "" {
		t.Error("claims", diff)
	}

	got, err := p.Verify(t.Context(), token.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	want := cloud.Principal{UserID: userID, OrganizationID: orgID, TokenID: string(jti)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMintAPersonalToken(t *testing.T) {
	t.Parallel()
	p, _, _ := newPlane(t)
	const id = cloud.ID("0198a1b2-0000-7000-8000-000000000009")
	token, _, err := p.Mint(t.Context(), issuer.Claims{
		UserID: userID, OrganizationID: orgID, MaxRole: cloud.RoleViewer, Personal: true, TokenID: id, TTL: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Verify(t.Context(), token.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	want := cloud.Principal{UserID: userID, OrganizationID: orgID, MaxRole: cloud.RoleViewer, Personal: true, TokenID: string(id)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What else is signed is no token for the APIs.
func TestSignForOthers(t *testing.T) {
	t.Parallel()
	p, _, _ := newPlane(t)
	signer, err := p.Signer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if signer.Issuer != url {
		t.Errorf("got the issuer %q; want %q", signer.Issuer, url)
	}
	token, err := signer.Sign(map[string]any{"iss": url, "sub": userID, "aud": "penstock-cli", "exp": start.Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	p.refuses(t, token.Reveal(), cloud.CodeUnauthenticated)
}

func TestMintRefuses(t *testing.T) {
	t.Parallel()
	p, _, _ := newPlane(t)
	for name, c := range map[string]struct {
		claims issuer.Claims
		want   string // "" if good
	}{
		"the shortest life":       {issuer.Claims{UserID: userID, TTL: time.Minute}, ""},
		"too short a life":        {issuer.Claims{UserID: userID, TTL: time.Minute - 1}, "from 1m0s to 8760h0m0s"},
		"no life":                 {issuer.Claims{UserID: userID}, "from 1m0s"},
		"a negative life":         {issuer.Claims{UserID: userID, TTL: -time.Hour}, "from 1m0s"},
		"the longest life":        {issuer.Claims{UserID: userID, TTL: 365 * 24 * time.Hour}, ""},
		"too long a life":         {issuer.Claims{UserID: userID, TTL: 365*24*time.Hour + 1}, "365 days"},
		"no user":                 {issuer.Claims{TTL: time.Hour}, "UUID"},
		"a user by name":          {issuer.Claims{UserID: "ada", TTL: time.Hour}, "UUID"},
		"a token by name":         {issuer.Claims{UserID: userID, TokenID: "first", TTL: time.Hour}, "UUID"},
		"an unknown role":         {issuer.Claims{UserID: userID, MaxRole: "owner", TTL: time.Hour}, "role must be one of"},
		"personal without an id":  {issuer.Claims{UserID: userID, Personal: true, TTL: time.Hour}, "must have an id"},
		"an organization by name": {issuer.Claims{UserID: userID, OrganizationID: "acme", TTL: time.Hour}, "UUID"},
	} {
		_, _, err := p.Mint(t.Context(), c.claims)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: got %v; want a token", name, err)
		case c.want != "" && (cloud.CodeOf(err) != cloud.CodeInvalid || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v; want %s with %q", name, err, cloud.CodeInvalid, c.want)
		}
	}
}

func TestMintBeforeTheFirstStart(t *testing.T) {
	t.Parallel()
	claims := issuer.Claims{UserID: userID, TTL: time.Hour}
	c := &clock{now: start}
	for name, s := range map[string]*store{
		"no URL": {},
		"no key": {state: state{issuers: []string{url}}},
	} {
		if _, _, err := newProcess(s, c).Mint(t.Context(), claims); cloud.CodeOf(err) != cloud.CodeConflict {
			t.Errorf("%s: got %v; want %s", name, err, cloud.CodeConflict)
		}
	}
	s := &store{down: errAway}
	if _, _, err := newProcess(s, c).Mint(t.Context(), claims); err != errAway { //nolint:errorlint // the very same
		t.Errorf("got %v; want %v", err, errAway)
	}
}

// A key that cannot be read stops the minting, and its text stays within.
func TestBrokenKey(t *testing.T) {
	t.Parallel()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"not PEM":     "hunter2",
		"another PEM": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("hunter2")})),
		"not PKCS 8":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("hunter2")})),
		"not RSA":     string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	} {
		s := &store{state: state{issuers: []string{url}, keys: []cloud.SigningKey{{ID: "broken", PEM: cloud.NewSecret(text)}}}}
		p := newProcess(s, &clock{now: start})
		_, _, mintErr := p.Mint(t.Context(), issuer.Claims{UserID: userID, TTL: time.Hour})
		_, keysErr := p.Keys(t.Context())
		for _, err := range []error{mintErr, keysErr} {
			if err == nil || cloud.CodeOf(err) != "" || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "broken") {
				t.Errorf("%s: got %v; want an internal error that names the key and does not repeat it", name, err)
			}
		}
	}
}

func TestEnsureKey(t *testing.T) {
	t.Parallel()
	p, s, _ := newPlane(t)
	first := s.state.keys[0]
	if err := p.EnsureKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(s.state.keys) != 1 || s.state.keys[0].ID != first.ID {
		t.Errorf("got %d keys; want the first one only", len(s.state.keys))
	}
	if !first.CreatedAt.Equal(start) || !first.RetiredAt.IsZero() || !first.ExpiresAt.IsZero() {
		t.Errorf("got %+v; want it created now and signing", first)
	}
	block, _ := pem.Decode([]byte(first.PEM.Reveal()))
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if bits := parsed.(*rsa.PrivateKey).N.BitLen(); bits != 2048 {
		t.Errorf("got %d bits; want 2048", bits)
	}

	s.setDown(errAway)
	if err := p.EnsureKey(t.Context()); err != errAway { //nolint:errorlint // the very same
		t.Errorf("got %v; want %v", err, errAway)
	}
}

// Several replicas may start for the first time at once.
func TestEnsureKeyConcurrently(t *testing.T) {
	t.Parallel()
	s, c := &store{state: state{issuers: []string{url}}}, &clock{now: start}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := newProcess(s, c).EnsureKey(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(s.state.keys) != 1 {
		t.Errorf("got %d keys; want 1", len(s.state.keys))
	}
}

func TestRotate(t *testing.T) {
	t.Parallel()
	p, s, c := newPlane(t)
	old := p.mint(t, issuer.MaxTTL)
	first := s.state.keys[0].ID
	c.advance(time.Hour)

	var told issuer.Rotation
	done, err := p.Rotate(t.Context(), func(w cloud.Writer, r issuer.Rotation) error {
		told = r
		return w.AppendAudit(cloud.AuditEntry{Action: "keys.rotate", Target: r.Created})
	})
	if err != nil {
		t.Fatal(err)
	}
	second := s.state.keys[0].ID
	want := issuer.Rotation{Created: second, Retired: []string{first}}
	if diff := cmp.Diff(want, done); diff != "" || second == first {
		t.Error(diff)
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
	if len(s.state.audit) != 1 || s.state.audit[0].Target != second {
		t.Errorf("got the audit %+v; want one entry about %s", s.state.audit, second)
	}

	fresh := p.mint(t, issuer.MaxTTL)
	p.accepts(t, old)
	p.accepts(t, fresh)
	c.advance(issuer.MaxTTL - time.Hour - time.Second) // the old token's last second
	p.accepts(t, old)
	c.advance(time.Hour)
	p.refuses(t, old, cloud.CodeUnauthenticated)
	p.accepts(t, fresh)

	// A key whose last token is over is forgotten at the next rotation.
	c.advance(2*time.Minute + time.Second)
	third := p.rotate(t)
	if diff := cmp.Diff([]string{second}, third.Retired); diff != "" {
		t.Error(diff)
	}
	if len(s.state.keys) != 2 {
		t.Errorf("got %d keys; want the new one and the one before", len(s.state.keys))
	}
}

func TestRotateMakesTheFirstKey(t *testing.T) {
	t.Parallel()
	s := &store{state: state{issuers: []string{url}}}
	p := newProcess(s, &clock{now: start})
	if done := p.rotate(t); done.Created == "" || done.Retired != nil {
		t.Errorf("got %+v; want a new key alone", done)
	}
	p.accepts(t, p.mint(t, time.Hour))
}

func TestRotateIsUndoneWithItsAudit(t *testing.T) {
	t.Parallel()
	p, s, _ := newPlane(t)
	before := s.state.clone()
	full := errors.New("the audit is full")
	_, err := p.Rotate(t.Context(), func(cloud.Writer, issuer.Rotation) error { return full })
	if !errors.Is(err, full) {
		t.Errorf("got %v; want %v", err, full)
	}
	if diff := cmp.Diff(before.keys, s.state.keys, cmp.AllowUnexported(cloud.Secret{})); diff != "" {
		t.Error(diff)
	}
}

// A rotation by a command beside the server is believed within ten seconds,
// and at once where a token of it turns up.
func TestRotationInAnotherProcess(t *testing.T) {
	t.Parallel()
	server, s, c := newPlane(t)
	command := newProcess(s, c)
	old := server.mint(t, time.Hour)
	server.accepts(t, old)

	c.advance(2 * time.Second)
	command.rotate(t)
	fresh := command.mint(t, time.Hour)
	server.accepts(t, fresh)
	server.accepts(t, old)

	// The server itself signs with the new key from now on.
	c.advance(time.Second)
	if kid(t, server.mint(t, time.Hour)) != kid(t, fresh) {
		t.Error("the server still signs with the old key")
	}
}

func TestWithdrawalInAnotherProcess(t *testing.T) {
	t.Parallel()
	server, s, c := newPlane(t)
	token := server.mint(t, time.Hour)
	server.accepts(t, token)
	s.edit(func(s *state) { s.keys = nil })
	c.advance(10*time.Second - 1)
	server.accepts(t, token)
	c.advance(1)
	server.refuses(t, token, cloud.CodeUnauthenticated)
}

func TestNewIssuerURLInAnotherProcess(t *testing.T) {
	t.Parallel()
	server, s, c := newPlane(t)
	old := server.mint(t, time.Hour)
	server.accepts(t, old)
	s.edit(func(s *state) { s.issuers = []string{"https://new.example.com", url} })
	fresh := newProcess(s, c).mint(t, time.Hour)
	c.advance(10 * time.Second)
	server.accepts(t, fresh)
	server.accepts(t, old)
}

// Tokens with made-up keys are no way to wear the database out.
func TestUnknownKeysAskTheStoreOnceASecond(t *testing.T) {
	t.Parallel()
	p, s, c := newPlane(t)
	other, _, _ := newPlane(t)
	stranger := other.mint(t, time.Hour)
	p.accepts(t, p.mint(t, time.Hour))

	c.advance(time.Second)
	before := s.readCount()
	for range 20 {
		p.refuses(t, stranger, cloud.CodeUnauthenticated)
	}
	if n := s.readCount() - before; n != 1 {
		t.Errorf("read the store %d times within a second; want once", n)
	}
	c.advance(time.Second)
	p.refuses(t, stranger, cloud.CodeUnauthenticated)
	if n := s.readCount() - before; n != 2 {
		t.Errorf("read the store %d times within two seconds; want twice", n)
	}
}

func TestKeysAreReadEveryTenSeconds(t *testing.T) {
	t.Parallel()
	p, s, c := newPlane(t)
	first, err := p.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before := s.readCount()
	for range 30 {
		c.advance(time.Second)
		again, err := p.Keys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if again != first {
			t.Fatal("the same keys came as another set")
		}
	}
	if n := s.readCount() - before; n != 3 {
		t.Errorf("read the store %d times in 30 seconds; want 3", n)
	}
	c.advance(-time.Hour)
	if _, err := p.Keys(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := s.readCount() - before; n != 4 {
		t.Error("a clock that stepped back stopped the reading")
	}
}

// A database that is away is 503, never 401, and comes back by itself.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	first, s, c := newPlane(t)
	token := first.mint(t, time.Hour)
	late := newProcess(s, c) // has not read the keys when the store goes
	first.accepts(t, token)
	s.setDown(errAway)

	late.refuses(t, token, cloud.CodeUnavailable)
	first.accepts(t, token)
	c.advance(5 * time.Minute)
	first.accepts(t, token)

	// Whether there is such a key nobody can tell now, not even the cache.
	other, _, _ := newPlane(t)
	stranger := other.mint(t, time.Hour)
	first.refuses(t, stranger, cloud.CodeUnavailable)
	first.refuses(t, stranger, cloud.CodeUnavailable)

	before := s.readCount()
	for range 20 {
		first.accepts(t, token)
	}
	if n := s.readCount() - before; n != 0 {
		t.Errorf("read the store %d more times within a second of its failure", n)
	}

	s.setDown(nil)
	c.advance(time.Second)
	first.accepts(t, token)
	first.refuses(t, stranger, cloud.CodeUnauthenticated)
	late.accepts(t, token)
}

// Many callers ask the store once, and none must wait longer than it cares to.
func TestKeysAreReadOnceForAllWhoWait(t *testing.T) {
	t.Parallel()
	p, s, _ := newPlane(t)
	s.gate, s.begun = make(chan struct{}), make(chan struct{}, 100)
	before := s.readCount()

	impatient, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := p.Keys(impatient)
		left <- err
	}()
	<-s.begun // its question is under way
	leave()
	if err := <-left; cloud.CodeOf(err) != cloud.CodeUnavailable {
		t.Errorf("got %v; want %s", err, cloud.CodeUnavailable)
	}

	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if _, err := p.Keys(t.Context()); err != nil {
				t.Errorf("a patient caller got %v", err)
			}
		})
	}
	close(s.gate) // although the first asker left, its question is answered
	wg.Wait()
	if n := s.readCount() - before; n != 1 {
		t.Errorf("read the store %d times; want once", n)
	}
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	p, s, c := newPlane(t)
	s.edit(func(s *state) { s.issuers = []string{"https://cloud.example.com/", url} })
	p.rotate(t)
	fail := func(w http.ResponseWriter, _ *http.Request, err error) {
		http.Error(w, string(cloud.CodeOf(err)), http.StatusServiceUnavailable)
	}
	get := func(h http.Handler) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		return w
	}
	for _, h := range []http.Handler{oauth.Discovery(p, fail), issuer.JWKS(p, fail)} {
		w := get(h)
		if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "public, max-age=10" {
			t.Errorf("got %d with %v", w.Code, w.Header())
		}
	}

	var discovery map[string]any
	if err := json.Unmarshal(get(oauth.Discovery(p, fail)).Body.Bytes(), &discovery); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"issuer":                                "https://cloud.example.com/",
		"jwks_uri":                              "https://cloud.example.com/.well-known/jwks.json",
		"authorization_endpoint":                "https://cloud.example.com/oauth/authorize",
		"token_endpoint":                        "https://cloud.example.com/oauth/token",
		"device_authorization_endpoint":         "https://cloud.example.com/oauth/device_authorization",
		"revocation_endpoint":                   "https://cloud.example.com/oauth/revoke",
		"userinfo_endpoint":                     "https://cloud.example.com/oauth/userinfo",
		"end_session_endpoint":                  "https://cloud.example.com/oauth/end_session",
		"scopes_supported":                      []any{"openid", "profile", "email", "offline_access"},
		"response_types_supported":              []any{"code"},
		"response_modes_supported":              []any{"query"},
		"grant_types_supported":                 []any{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code", "client_credentials"},
		"token_endpoint_auth_methods_supported": []any{"none", "client_secret_basic", "client_secret_post"},
		"code_challenge_methods_supported":      []any{"S256"},
		"subject_types_supported":               []any{"public"},
		"id_token_signing_alg_values_supported": []any{"RS256"},
	}
	for _, other := range []string{"claims_supported", "revocation_endpoint_auth_methods_supported", "request_uri_parameter_supported"} {
		delete(discovery, other)
	}
	if diff := cmp.Diff(want, discovery); diff != "" {
		t.Error(diff)
	}

	// Somebody else's verifier can check our tokens with what is published,
	// and nothing private is.
	body := get(issuer.JWKS(p, fail)).Body.Bytes()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(body, &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Keys) != 2 {
		t.Fatalf("got %d keys; want the signing one and the retired one", len(set.Keys))
	}
	for _, k := range set.Keys {
		if !k.IsPublic() || !k.Valid() || k.Algorithm != "RS256" || k.Use != "sig" {
			t.Errorf("got the key %s %s %s", k.KeyID, k.Algorithm, k.Use)
		}
		sum, err := k.Thumbprint(crypto.SHA256)
		if err != nil || base64.RawURLEncoding.EncodeToString(sum) != k.KeyID {
			t.Errorf("kid %s is not the key's thumbprint", k.KeyID)
		}
	}
	token := p.mint(t, time.Hour)
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signed.Verify(set.Key(kid(t, token))[0]); err != nil {
		t.Error(err)
	}

	s.setDown(errAway)
	for _, h := range []http.Handler{oauth.Discovery(newProcess(s, c), fail), issuer.JWKS(newProcess(s, c), fail)} {
		if w := get(h); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "unavailable") {
			t.Errorf("got %d %s; want what fail answers", w.Code, w.Body)
		}
	}
	if w := get(oauth.Discovery(newProcess(&store{}, c), fail)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("got %d from a plane without a URL; want what fail answers", w.Code)
	}
}

func kid(t *testing.T, token string) string {
	t.Helper()
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	return signed.Signatures[0].Header.KeyID
}
