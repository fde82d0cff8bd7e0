package provider_test

import (
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/auth/provider"
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/test/openid"
)

const (
	redirect = "http://127.0.0.1:1/sign-in/callback/company" // nobody listens there, nor needs to
	clientID = "penstock"
	secret   = "a secret of 256 bits"
)

func verifier() cloud.Secret { return cloud.NewSecret("0123456789012345678901234567890123456789012") }

func newProvider(t *testing.T, issuer string, now func() time.Time) *provider.Provider {
	t.Helper()
	p, err := provider.New(provider.Config{
		Name: "company", Title: "Company", Issuer: issuer, ClientID: clientID, ClientSecret: cloud.NewSecret(secret), RedirectURL: redirect,
	}, thisMachine{t}, now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// thisMachine is all that is asked in the tests, which hear of anything else.
type thisMachine struct{ t *testing.T }

func (m thisMachine) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Hostname() != "127.0.0.1" {
		m.t.Errorf("%s is asked", req.URL)
		return nil, errors.New("there is no such host")
	}
	return http.DefaultTransport.RoundTrip(req)
}

// TestRealProvider signs in with a provider that shares no code with ours: one
// that says who it is in the token, and one that wants to be asked.
func TestRealProvider(t *testing.T) {
	t.Parallel()
	for name, inToken := range map[string]bool{"in the token": true, "in the userinfo": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			issuer, _ := openid.Start(t, openid.Config{
				Accounts: map[string]openid.Account{"ada": {Email: "ada@example.com", EmailVerified: true, Name: "Ada Lovelace"}, "bob": {Email: "bob@example.com"}},
				ClientID: clientID, Secret: secret, Redirect: redirect, InToken: inToken,
			})
			p := newProvider(t, issuer, time.Now)
			login := func(who string) provider.Answer {
				t.Helper()
				to, err := p.AuthURL(t.Context(), "the state", "the nonce", verifier())
				if err != nil {
					t.Fatal(err)
				}
				back := openid.Login(t, to, who, redirect).Query()
				if back.Get("state") != "the state" || back.Get("code") == "" || back.Get("iss") != issuer {
					t.Fatalf("%s comes back with %v", who, back)
				}
				return provider.Answer{Code: back.Get("code"), Issuer: back.Get("iss")}
			}
			for who, want := range map[string]cloud.Assertion{
				"ada": {Issuer: issuer, Subject: "ada", Email: "ada@example.com", EmailVerified: true, Name: "Ada Lovelace"},
				"bob": {Issuer: issuer, Subject: "bob", Email: "bob@example.com"},
			} {
				got, err := p.Finish(t.Context(), login(who), "the nonce", verifier())
				if err != nil {
					t.Fatalf("%s: %v", who, err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("of %s it says (-want +got):\n%s", who, diff)
				}
			}
			good := login("ada")
			if _, err := p.Finish(t.Context(), good, "the nonce", verifier()); err != nil {
				t.Fatal(err)
			}
			for what, finish := range map[string]func() error{
				"a replayed code": func() error { _, err := p.Finish(t.Context(), good, "the nonce", verifier()); return err },
				"another nonce":   func() error { _, err := p.Finish(t.Context(), login("ada"), "another", verifier()); return err },
				"no nonce":        func() error { _, err := p.Finish(t.Context(), login("ada"), "", verifier()); return err },
				"another verifier": func() error {
					_, err := p.Finish(t.Context(), login("ada"), "the nonce", cloud.NewSecret("9999999999999999999999999999999999999999999"))
					return err
				},
				"another issuer": func() error {
					a := login("ada")
					a.Issuer = "https://other.example"
					_, err := p.Finish(t.Context(), a, "the nonce", verifier())
					return err
				},
				"no issuer, of one who says it": func() error {
					a := login("ada")
					a.Issuer = ""
					_, err := p.Finish(t.Context(), a, "the nonce", verifier())
					return err
				},
			} {
				if err := finish(); cloud.CodeOf(err) != cloud.CodeForbidden {
					t.Errorf("%s: %v; want a refusal", what, err)
				}
			}
		})
	}
}

// TestProviderThatIsAway is down when the plane starts, comes, and goes again:
// what it said of itself is kept for as long as it is away.
func TestProviderThatIsAway(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	now := time.Date(2026, 3, 2, 15, 30, 0, 0, time.UTC)
	fake.down.Store(true)
	p := newProvider(t, fake.URL, func() time.Time { return now })
	ask := func() error { _, err := p.AuthURL(t.Context(), "s", "n", verifier()); return err }
	for range 3 {
		if err := ask(); cloud.CodeOf(err) != cloud.CodeUnavailable {
			t.Errorf("while it is down: %v", err)
		}
	}
	if n := fake.asked.Load(); n != 1 {
		t.Errorf("it was asked %d times in one instant; want once", n)
	}
	fake.down.Store(false)
	now = now.Add(time.Minute)
	if err := ask(); err != nil {
		t.Errorf("once it is there: %v", err)
	}
	fake.down.Store(true)
	now = now.Add(24 * time.Hour)
	if err := ask(); err != nil {
		t.Errorf("when it is away again: %v", err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	good := provider.Config{Name: "company", Title: "Company", Issuer: "https://login.example.com/tenant", ClientID: "penstock"}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for what, spoil := range map[string]func(*provider.Config){
		"name":         func(c *provider.Config) { c.Name = "Our company" },
		"title":        func(c *provider.Config) { c.Title = "" },
		"no issuer":    func(c *provider.Config) { c.Issuer = "" },
		"in the clear": func(c *provider.Config) { c.Issuer = "http://login.example.com" },
		"query":        func(c *provider.Config) { c.Issuer += "?tenant=1" },
		"user":         func(c *provider.Config) { c.Issuer = "https://ada@login.example.com" },
		"client":       func(c *provider.Config) { c.ClientID = "" },
	} {
		c := good
		spoil(&c)
		if err := c.Check(); cloud.CodeOf(err) != cloud.CodeInvalid {
			t.Errorf("%s: %v; want it refused", what, err)
		}
	}
}

// TestAuthURL sends all by which the answer is known again.
func TestAuthURL(t *testing.T) {
	t.Parallel()
	to, err := newProvider(t, newFake(t).URL, time.Now).AuthURL(t.Context(), "the state", "the nonce", verifier())
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Del("code_challenge") // RFC 7636's own function of the verifier
	want := url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {redirect}, "scope": {"openid email profile"},
		"state": {"the state"}, "nonce": {"the nonce"}, "code_challenge_method": {"S256"},
	}
	if diff := cmp.Diff(want, q); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
