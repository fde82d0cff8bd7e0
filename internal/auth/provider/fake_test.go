package provider_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/penstock-cloud/penstock/internal/auth/provider"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

// fake is a provider that does what a real one does not.
type fake struct {
	*httptest.Server
	key       *ecdsa.PrivateKey
	discovery map[string]any
	idToken   func() string // of the token endpoint
	userinfo  map[string]any
	moved     string // where the keys are said to be; "" for here
	long      bool   // its keys have no end
	down      atomic.Bool
	asked     atomic.Int64
}

func newFake(t *testing.T) *fake {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{key: key}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, body any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(body)
	}
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		f.asked.Add(1)
		if f.down.Load() {
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		answer(w, f.discovery)
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": f.idToken()})
	})
	mux.HandleFunc("/userinfo", func(w http.ResponseWriter, _ *http.Request) { answer(w, f.userinfo) })
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) {
		if f.moved != "" {
			http.Redirect(w, r, f.moved, http.StatusFound)
			return
		}
		if f.long {
			_, _ = w.Write([]byte(strings.Repeat(" ", 2<<20)))
		}
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: f.key.Public(), KeyID: "1", Algorithm: "ES256", Use: "sig"}}})
	})
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	f.discovery = map[string]any{
		"issuer": f.URL, "authorization_endpoint": f.URL + "/auth", "token_endpoint": f.URL + "/token", "jwks_uri": f.URL + "/keys",
		"userinfo_endpoint": f.URL + "/userinfo", "id_token_signing_alg_values_supported": []string{"ES256"},
	}
	f.idToken = func() string { return f.sign(t, jose.ES256, key, f.claims(nil)) }
	return f
}

func (f *fake) claims(but map[string]any) map[string]any {
	c := map[string]any{
		"iss": f.URL, "sub": "1", "aud": clientID, "nonce": "the nonce", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
		"email": "ada@example.com", "email_verified": true,
	}
	maps.Copy(c, but)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func (f *fake) sign(t *testing.T, algorithm jose.SignatureAlgorithm, key any, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: "1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestAnswersThatAreNotBelieved is the table of what a false provider, or one
// whose answer was changed on the way, may try. Each is refused, and nothing of
// it reaches the person who reads the refusal.
func TestAnswersThatAreNotBelieved(t *testing.T) {
	t.Parallel()
	with := func(but map[string]any) func(*testing.T, *fake) {
		return func(t *testing.T, f *fake) {
			f.idToken = func() string { return f.sign(t, jose.ES256, f.key, f.claims(but)) }
		}
	}
	for what, spoil := range map[string]func(*testing.T, *fake){
		"wrong audience":            with(map[string]any{"aud": "another client"}),
		"several audiences, no azp": with(map[string]any{"aud": []string{clientID, "another client"}}),
		"authorized for another":    with(map[string]any{"azp": "another client"}),
		"wrong issuer":              with(map[string]any{"iss": "https://other.example"}),
		"expired":                   with(map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}),
		"not yet valid":             with(map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}),
		"no expiry":                 with(map[string]any{"exp": nil}),
		"no nonce":                  with(map[string]any{"nonce": nil}),
		"another nonce":             with(map[string]any{"nonce": "another"}),
		"no subject":                with(map[string]any{"sub": nil}),
		"a subject without end":     with(map[string]any{"sub": strings.Repeat("1", 256)}),
		"a userinfo of another": func(t *testing.T, f *fake) {
			with(map[string]any{"email": nil})(t, f)
			f.userinfo = map[string]any{"sub": "2", "email": "ada@example.com"}
		},
		"no token": func(_ *testing.T, f *fake) { f.idToken = func() string { return "" } },
		"keys of another host": func(t *testing.T, f *fake) {
			other := newFake(t)
			other.key = f.key // it has the very keys
			f.moved = other.URL + "/keys"
		},
		"keys in the clear": func(_ *testing.T, f *fake) { f.discovery["jwks_uri"] = "http://192.0.2.1/keys" },
		"keys without end":  func(_ *testing.T, f *fake) { f.long = true },
		"algorithm none": func(_ *testing.T, f *fake) {
			body, _ := json.Marshal(f.claims(nil))
			enc := base64.RawURLEncoding.EncodeToString
			f.idToken = func() string { return enc([]byte(`{"alg":"none"}`)) + "." + enc(body) + "." }
			f.discovery["id_token_signing_alg_values_supported"] = []string{"none", "ES256"}
		},
		"algorithm confusion": func(t *testing.T, f *fake) {
			f.idToken = func() string { return f.sign(t, jose.HS256, []byte(strings.Repeat(secret, 2)), f.claims(nil)) }
			f.discovery["id_token_signing_alg_values_supported"] = []string{"HS256", "ES256"}
		},
		"another key": func(t *testing.T, f *fake) {
			other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			f.idToken = func() string { return f.sign(t, jose.ES256, other, f.claims(nil)) }
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			p := newProvider(t, f.URL, time.Now)
			spoil(t, f)
			_, err := p.Finish(t.Context(), provider.Answer{Code: "c"}, "the nonce", verifier())
			if cloud.CodeOf(err) != cloud.CodeForbidden {
				t.Errorf("%v; want a refusal", err)
			}
		})
	}
}

// TestWhatIsSaidOfAnAddress tells an address that is not verified from one of
// which that is not said.
func TestWhatIsSaidOfAnAddress(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		claim            any // nil leaves it out
		verified, unsaid bool
	}{
		{claim: true, verified: true},
		{claim: "true", verified: true},
		{claim: false},
		{claim: "false"},
		{claim: "yes"},
		{claim: 1},
		{claim: nil, unsaid: true},
	} {
		f := newFake(t)
		f.idToken = func() string {
			return f.sign(t, jose.ES256, f.key, f.claims(map[string]any{"email_verified": tt.claim}))
		}
		got, err := newProvider(t, f.URL, time.Now).Finish(t.Context(), provider.Answer{Code: "c"}, "the nonce", verifier())
		if err != nil || got.Subject != "1" || got.EmailVerified != tt.verified || got.EmailUnsaid != tt.unsaid {
			t.Errorf("email_verified %v: %+v, %v", tt.claim, got, err)
		}
	}
}

// TestProvidersThatAreNotAsked are said by their own documents to be somewhere
// where nobody's password or code should go.
func TestProvidersThatAreNotAsked(t *testing.T) {
	t.Parallel()
	for what, spoil := range map[string]func(*fake){
		"another issuer":   func(f *fake) { f.discovery["issuer"] = "https://other.example" },
		"login in clear":   func(f *fake) { f.discovery["authorization_endpoint"] = "http://192.0.2.1/auth" },
		"login by a trick": func(f *fake) { f.discovery["authorization_endpoint"] = "javascript:alert(1)" },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			spoil(f)
			to, err := newProvider(t, f.URL, time.Now).AuthURL(t.Context(), "s", "n", verifier())
			if cloud.CodeOf(err) != cloud.CodeUnavailable {
				t.Errorf("browsers go to %q, %v", to, err)
			}
		})
	}
	f := newFake(t)
	f.discovery["token_endpoint"] = "http://192.0.2.1/token"
	if _, err := newProvider(t, f.URL, time.Now).Finish(t.Context(), provider.Answer{Code: "c"}, "n", verifier()); cloud.CodeOf(err) != cloud.CodeUnavailable {
		t.Errorf("the secret goes out in the clear: %v", err)
	}
}
