package oauth_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"github.com/penstock-cloud/penstock/internal/auth/oauth"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

func claimsOf(t *testing.T, token string) (claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWT", token)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// What is wrong with the client or its redirect is shown, and told to nobody;
// everything else the client is told, with its state.
func TestAuthorizeRefuses(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	good := func() url.Values {
		return form("client_id", oauth.ClientCLI, "redirect_uri", cliRedirect, "response_type", "code", "scope", "openid", "state", "s",
			"code_challenge", oauth2.S256ChallengeFromVerifier(oauth2.GenerateVerifier()), "code_challenge_method", "S256")
	}
	const org = "0198a1b2-0000-7000-8000-000000000001"
	for name, c := range map[string]struct {
		change []string
		shown  bool
		kind   string // "" if good
	}{
		"good":                         {nil, false, ""},
		"a nonce":                      {[]string{"nonce", "n"}, false, ""},
		"unknown parameters":           {[]string{"resource", strings.Repeat("x", 3000), "audience", "https://api.example.com"}, false, ""},
		"unknown scopes":               {[]string{"scope", "openid api://x admin"}, false, ""},
		"an organization":              {[]string{"scope", "org:" + org}, false, ""},
		"max_age":                      {[]string{"max_age", "4294967295"}, false, ""},
		"no challenge":                 {[]string{"code_challenge", ""}, false, "invalid_request"},
		"no challenge and no method":   {[]string{"code_challenge", "", "code_challenge_method", ""}, false, "invalid_request"},
		"plain":                        {[]string{"code_challenge_method", "plain"}, false, "invalid_request"},
		"plain by default":             {[]string{"code_challenge_method", ""}, false, "invalid_request"},
		"none":                         {[]string{"code_challenge_method", "none"}, false, "invalid_request"},
		"S256 in small letters":        {[]string{"code_challenge_method", "s256"}, false, "invalid_request"},
		"a short challenge":            {[]string{"code_challenge", "short"}, false, "invalid_request"},
		"a challenge not in base64url": {[]string{"code_challenge", strings.Repeat("+", 43)}, false, "invalid_request"},
		"a token right away":           {[]string{"response_type", "token"}, false, "unauthorized_client"},
		"an ID token right away":       {[]string{"response_type", "id_token"}, false, "unauthorized_client"},
		"a hybrid":                     {[]string{"response_type", "code id_token"}, false, "unauthorized_client"},
		"no response type":             {[]string{"response_type", ""}, false, "invalid_request"},
		"no scope":                     {[]string{"scope", ""}, false, "invalid_request"},
		"an organization by name":      {[]string{"scope", "openid org:acme"}, false, "invalid_scope"},
		"two organizations":            {[]string{"scope", "org:" + org + " org:" + org[:35] + "2"}, false, "invalid_scope"},
		"a request object":             {[]string{"request", "eyJhbGciOiJub25lIn0.e30."}, false, "request_not_supported"},
		"no page":                      {[]string{"prompt", "none"}, false, "interaction_required"},
		"no page and one":              {[]string{"prompt", "none login"}, false, "invalid_request"},
		"a fragment":                   {[]string{"response_mode", "fragment"}, false, "invalid_request"},
		"a form":                       {[]string{"response_mode", "form_post"}, false, "invalid_request"},
		"an unknown client":            {[]string{"client_id", "nobody"}, true, "invalid_request"},
		"no client":                    {[]string{"client_id", ""}, true, "invalid_request"},
		"no redirect":                  {[]string{"redirect_uri", ""}, true, "invalid_request"},
		"another place":                {[]string{"redirect_uri", "https://evil.example.com/callback"}, true, "invalid_request"},
		"another client's redirect":    {[]string{"redirect_uri", p.url + "/console/callback"}, true, "invalid_request"},
		"a redirect to the plane":      {[]string{"client_id", oauth.ClientConsole, "redirect_uri", p.url + "/console/callback/../../x"}, true, "invalid_request"},
		"the console on loopback":      {[]string{"client_id", oauth.ClientConsole}, true, "invalid_request"},
		"max_age in words":             {[]string{"max_age", "never"}, true, "invalid_request"},
		"too long a state":             {[]string{"state", strings.Repeat("s", 513)}, true, "invalid_request"},
		"too long a nonce":             {[]string{"nonce", strings.Repeat("n", 513)}, true, "invalid_request"},
		"too long a query":             {[]string{"x", strings.Repeat("x", 17<<10)}, true, "invalid_request"},
	} {
		f := good()
		for i := 0; i < len(c.change); i += 2 {
			f.Set(c.change[i], c.change[i+1])
		}
		a := p.do(http.MethodGet, oauth.AuthorizePath+"?"+f.Encode(), nil)
		switch {
		case c.shown:
			if a.status != http.StatusBadRequest || a.location != nil || a.kind() != c.kind {
				t.Errorf("%s: got %v; want %s shown", name, a, c.kind)
			}
		case c.kind == "":
			if a.status != http.StatusFound || a.location == nil || a.location.Path != oauth.SignInPage {
				t.Errorf("%s: got %v; want the page", name, a)
			}
		default:
			if a.status != http.StatusFound || a.location == nil || !strings.HasPrefix(a.location.String(), cliRedirect) ||
				a.kind() != c.kind || a.told().Get("state") != "s" {
				t.Errorf("%s: got %v; want %s told to the client", name, a, c.kind)
			}
		}
		if a.header.Get("Access-Control-Allow-Origin") != "" || a.header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: got %v", name, a.header)
		}
	}
	twice := good()
	twice.Add("redirect_uri", "https://evil.example.com")
	if a := p.do(http.MethodGet, oauth.AuthorizePath+"?"+twice.Encode(), nil); a.status != http.StatusBadRequest || a.location != nil {
		t.Errorf("two redirects: %v", a)
	}
	if a := p.do(http.MethodPost, oauth.AuthorizePath, good()); a.status != http.StatusFound || a.location.Path != oauth.SignInPage {
		t.Errorf("by a form: %v", a)
	}
}

func TestRedirectsOfTheCommandLine(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	for uri, good := range map[string]bool{
		"http://127.0.0.1:1/callback":                   true,
		"http://127.0.0.1:65535/callback":               true,
		"http://[::1]:8080/callback":                    true,
		"http://127.0.0.1/callback":                     false, // nobody listens there
		"http://127.0.0.1:0/callback":                   false,
		"http://127.0.0.1:65536/callback":               false,
		"http://127.0.0.1:080/callback":                 false,
		"http://127.0.0.1:/callback":                    false,
		"http://127.0.0.2:80/callback":                  false,
		"http://localhost:80/callback":                  false, // whoever answers for that name (RFC 8252, 8.3)
		"https://127.0.0.1:80/callback":                 false,
		"HTTP://127.0.0.1:80/callback":                  false,
		"http://127.0.0.1:80/callback/":                 false,
		"http://127.0.0.1:80/Callback":                  false,
		"http://127.0.0.1:80/call%62ack":                false,
		"http://127.0.0.1:80//callback":                 false,
		"http://127.0.0.1:80/callback?x=1":              false,
		"http://127.0.0.1:80/callback?":                 false,
		"http://127.0.0.1:80/callback#x":                false,
		"http://127.0.0.1:80/":                          false,
		"http://ada@127.0.0.1:80/callback":              false,
		"http://127.0.0.1:80@evil.example.com/callback": false,
		"http://127.0.0.1.evil.example.com:80/callback": false,
		"http://2130706433:80/callback":                 false,
		"http://[::ffff:127.0.0.1]:80/callback":         false,
		"http://[::1%25lo]:80/callback":                 false,
		"http://[0:0:0:0:0:0:0:1]:80/callback":          false,
		"//127.0.0.1:80/callback":                       false,
		"javascript:alert(1)":                           false,
		"penstock:/callback":                            false,
		" http://127.0.0.1:80/callback":                 false,
		"http://127.0.0.1:80/callback\n":                false,
	} {
		c := p.config(oauth.ClientCLI, uri, "openid")
		a := p.do(http.MethodGet, c.AuthCodeURL("s", oauth2.S256ChallengeOption(oauth2.GenerateVerifier())), nil)
		if got := a.status == http.StatusFound; got != good || !good && a.location != nil {
			t.Errorf("%q: %v; want it taken: %t", uri, a, good)
		}
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	ada := p.person("Ada")
	id := p.begin(p.console("openid x offline_access"), oauth2.GenerateVerifier(), oauth2.SetAuthURLParam("login_hint", "ada@example.com"))
	want := oauth.Request{ClientID: "penstock-console", ClientName: "Penstock console", Scopes: []string{"openid", "offline_access"}, LoginHint: "ada@example.com"}
	for _, agreed := range []bool{false, true} {
		want.Agreed = agreed
		got, err := p.Describe(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if !agreed {
			if _, err := p.Agree(t.Context(), id, ada, p.clock.Now()); err != nil {
				t.Fatal(err)
			}
		}
	}
	native := p.begin(p.cli("openid"), oauth2.GenerateVerifier())
	if got, err := p.Describe(t.Context(), native); err != nil || !got.AskBefore.Equal(p.clock.Now()) {
		t.Errorf("who signed in before %v is asked of a program on their machine, %v; want %v", got.AskBefore, err, p.clock.Now())
	}
	for _, bad := range []cloud.ID{"", "x", newID()} {
		if _, err := p.Describe(t.Context(), bad); cloud.CodeOf(err) != cloud.CodeNotFound {
			t.Errorf("%q: got %v; want %s", bad, err, cloud.CodeNotFound)
		}
	}
}

func TestAgreeOnce(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	ada, bob := p.person("Ada"), p.person("Bob")
	id := p.begin(p.cli("openid"), oauth2.GenerateVerifier())
	if _, err := p.Agree(t.Context(), id, ada, p.clock.Now()); err != nil {
		t.Fatal(err)
	}
	for _, user := range []cloud.ID{ada, bob} {
		if _, err := p.Agree(t.Context(), id, user, p.clock.Now()); cloud.CodeOf(err) != cloud.CodeConflict {
			t.Errorf("got %v; want %s", err, cloud.CodeConflict)
		}
	}
	if _, err := p.Refuse(t.Context(), id); cloud.CodeOf(err) != cloud.CodeNotFound {
		t.Errorf("got %v; want %s", err, cloud.CodeNotFound)
	}
}

func TestOnlyPeopleAgree(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	account, _ := p.service(p.organization("acme"))
	for _, user := range []cloud.ID{account, newID(), ""} {
		id := p.begin(p.cli("openid"), oauth2.GenerateVerifier())
		if _, err := p.Agree(t.Context(), id, user, p.clock.Now()); cloud.CodeOf(err) != cloud.CodeForbidden {
			t.Errorf("%q: got %v; want %s", user, err, cloud.CodeForbidden)
		}
	}
}

func TestRefuse(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	id := p.begin(p.cli("openid"), oauth2.GenerateVerifier())
	callback, err := p.Refuse(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(callback)
	if !strings.HasPrefix(callback, cliRedirect+"?") || u.Query().Get("error") != "access_denied" || u.Query().Get("state") != "state & more" {
		t.Errorf("called back at %s", callback)
	}
	if _, err := p.Agree(t.Context(), id, p.person("Ada"), p.clock.Now()); cloud.CodeOf(err) != cloud.CodeNotFound {
		t.Errorf("got %v; want %s", err, cloud.CodeNotFound)
	}
}

// A client may want a fresh sign-in.
func TestSignInAnew(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	ada := p.person("Ada")
	for name, c := range map[string]struct {
		parameter, value string
		age              time.Duration
		good             bool
	}{
		"no wish":                     {"x", "x", 12 * time.Hour, true},
		"prompt=login, an old one":    {"prompt", "login", time.Second, false},
		"prompt=login, a new one":     {"prompt", "login", 0, true},
		"prompt=select_account":       {"prompt", "select_account", time.Second, false},
		"max_age, within":             {"max_age", "60", time.Minute, true},
		"max_age, beyond":             {"max_age", "60", time.Minute + time.Second, false},
		"max_age=0":                   {"max_age", "0", time.Second, false},
		"max_age beyond what can be":  {"max_age", "4294967295", 12 * time.Hour, true},
		"prompt=consent is agreement": {"prompt", "consent", time.Hour, true},
	} {
		id := p.begin(p.cli("openid"), oauth2.GenerateVerifier(), oauth2.SetAuthURLParam(c.parameter, c.value))
		_, err := p.Agree(t.Context(), id, ada, p.clock.Now().Add(-c.age))
		if c.good && err != nil || !c.good && cloud.CodeOf(err) != cloud.CodeUnauthenticated {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestTokensForOneOrganization(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	ada, bob := p.person("Ada"), p.person("Bob")
	acme := p.organization("acme", ada)
	c := p.cli("openid offline_access org:" + strings.ToUpper(string(acme)))

	// Somebody else's organization is refused, and the client told.
	callback, err := p.Agree(t.Context(), p.begin(c, oauth2.GenerateVerifier()), bob, p.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	if u, _ := url.Parse(callback); u.Query().Get("error") != "access_denied" || u.Query().Get("code") != "" || !strings.HasPrefix(callback, cliRedirect) {
		t.Errorf("called back at %s", callback)
	}

	token := p.login(c, ada)
	bound := func(token string) {
		t.Helper()
		principal, err := p.verify.Verify(t.Context(), token)
		if err != nil || principal.OrganizationID != acme {
			t.Errorf("got %+v %v; want it bound to %s", principal, err, acme)
		}
	}
	bound(token.AccessToken)
	// A narrower token is bound as well.
	a := p.post(oauth.TokenPath, "grant_type", "refresh_token", "client_id", oauth.ClientCLI, "refresh_token", token.RefreshToken, "scope", "openid")
	if a.status != http.StatusOK || a.body["scope"] != "openid org:"+string(acme) {
		t.Fatalf("refresh: %v", a)
	}
	bound(a.body["access_token"].(string))

	// With the membership goes the grant, before and after the exchange.
	verifier := oauth2.GenerateVerifier()
	code := p.code(c, ada, verifier)
	p.write(func(w cloud.Writer) error { return w.RemoveMember(acme, ada) })
	_, err = c.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
	refusedWith(t, err, "invalid_grant")
	if a := p.refreshed(oauth.ClientCLI, a.body["refresh_token"].(string)); a.kind() != "invalid_grant" {
		t.Errorf("refresh: %v", a)
	}
	if entries := p.auditedIn(acme); len(entries) != 0 {
		t.Errorf("got %v in the audit; want nothing: nothing came again", entries)
	}
}
