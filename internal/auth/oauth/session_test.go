package oauth_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/penstock-cloud/penstock/internal/auth/issuer"
	"github.com/penstock-cloud/penstock/internal/auth/oauth"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

func TestRevocation(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	ada := p.person("Ada")
	account, secret := p.service(p.organization("acme"))
	service, err := p.credentials(account, secret, oauth2.AuthStyleInParams).Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	revoke := func(client string, more ...string) answer {
		t.Helper()
		return p.post(oauth.RevokePath, append([]string{"client_id", client}, more...)...)
	}
	ok := func(a answer) {
		t.Helper()
		if a.status != http.StatusOK {
			t.Errorf("got %v", a)
		}
	}

	first := p.login(p.cli(allScopes), ada)
	ok(revoke(oauth.ClientConsole, "token", first.AccessToken))
	ok(revoke(oauth.ClientConsole, "token", first.RefreshToken))
	ok(revoke(string(account), "client_secret", secret.Reveal(), "token", first.AccessToken))
	if !p.alive(first.AccessToken) {
		t.Fatal("another client revoked it")
	}
	ok(revoke(oauth.ClientCLI, "token", first.AccessToken, "token_type_hint", "refresh_token"))
	if p.alive(first.AccessToken) {
		t.Error("the access token goes on")
	}
	next := p.refreshed(oauth.ClientCLI, first.RefreshToken)
	if next.status != http.StatusOK {
		t.Fatalf("an access token took its refresh token with it: %v", next)
	}

	ok(revoke(oauth.ClientCLI, "token", next.body["refresh_token"].(string), "token_type_hint", "access_token"))
	if p.alive(next.body["access_token"].(string)) {
		t.Error("the access token of a revoked refresh token goes on")
	}
	if a := p.refreshed(oauth.ClientCLI, next.body["refresh_token"].(string)); a.kind() != "invalid_grant" {
		t.Errorf("refresh: %v", a)
	}
	p.wantAudit("", "token.revoke", ada, cloud.Actor{Kind: cloud.ActorUser, ID: string(ada)})

	ok(revoke(string(account), "client_secret", secret.Reveal(), "token", service.AccessToken))
	if p.alive(service.AccessToken) {
		t.Error("a service account's token goes on")
	}
	for _, token := range []string{"x", "psr_0", service.AccessToken, first.AccessToken + "x"} { // no error (RFC 7009, 2.2)
		ok(revoke(oauth.ClientCLI, "token", token))
	}
	// Tokens that no client got are not a client's.
	minted, _, err := p.issuer.Mint(t.Context(), issuer.Claims{UserID: ada, TTL: cloud.AccessTokenTTL})
	if err != nil {
		t.Fatal(err)
	}
	ok(revoke(oauth.ClientCLI, "token", minted.Reveal()))
	if !p.alive(minted.Reveal()) {
		t.Error("a client revoked what is not its")
	}
	for name, c := range map[string]struct {
		got  answer
		kind string
	}{
		"no token":       {revoke(oauth.ClientCLI), "invalid_request"},
		"no client":      {p.post(oauth.RevokePath, "token", "x"), "invalid_request"},
		"unknown client": {revoke("nobody", "token", "x"), "invalid_client"},
		"wrong secret":   {revoke(string(account), "client_secret", "x", "token", "x"), "invalid_client"},
	} {
		if c.got.kind() != c.kind {
			t.Errorf("%s: got %v; want %s", name, c.got, c.kind)
		}
	}
}

func TestUserinfo(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	ada := p.person("Ada")
	p.write(func(w cloud.Writer) error { return w.UpdateUser(ada, "Ada", "ADA@example.com") })
	unverified := p.person("Bob")
	p.write(func(w cloud.Writer) error { return w.UpdateUser(unverified, "Bob", "robert@example.com") })
	for _, c := range []struct {
		user         cloud.ID
		scopes, want string
	}{
		{ada, "openid", `{"sub":"` + string(ada) + `"}`},
		{ada, "profile", `{"sub":"` + string(ada) + `","name":"Ada"}`},
		{ada, "email", `{"sub":"` + string(ada) + `","email":"ADA@example.com","email_verified":true}`},
		{unverified, "email", `{"sub":"` + string(unverified) + `","email":"robert@example.com"}`},
	} {
		a := p.userinfoOf(p.login(p.cli(c.scopes), c.user).AccessToken)
		if a.status != http.StatusOK || strings.TrimSpace(a.text) != c.want {
			t.Errorf("%s: got %v; want %s", c.scopes, a, c.want)
		}
	}
	token := p.login(p.cli("openid"), ada).AccessToken
	for name, a := range map[string]answer{
		"nothing":           p.do(http.MethodGet, oauth.UserinfoPath, nil),
		"in the URL":        p.do(http.MethodGet, oauth.UserinfoPath+"?access_token="+token, nil),
		"in a form":         p.do(http.MethodPost, oauth.UserinfoPath, form("access_token", token)),
		"by another scheme": p.do(http.MethodGet, oauth.UserinfoPath, nil, "Authorization", "Basic "+token),
		"a changed one":     p.userinfoOf(token[:len(token)-4] + "AAAA"),
		"a refresh token":   p.userinfoOf(p.login(p.cli(allScopes), ada).RefreshToken),
		"nobody's":          p.userinfoOf("x.y.z"),
	} {
		if a.status != http.StatusUnauthorized || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer ") {
			t.Errorf("%s: got %v %v", name, a, a.header)
		}
	}
}

func TestEndSession(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	ada := p.person("Ada")
	home := p.url + "/console/"
	token := p.login(p.console("openid"), ada)
	hint, _ := token.Extra("id_token").(string)
	other, _ := p.login(p.cli("openid"), ada).Extra("id_token").(string)
	p.clock.advance(cloud.RefreshTokenTTL) // that a hint has expired is no matter
	for name, c := range map[string]struct {
		form []string
		want string // where it goes; "" for a refusal
	}{
		"nothing":                {nil, p.url + "/sign-out"},
		"a hint":                 {[]string{"id_token_hint", hint}, p.url + "/sign-out"},
		"a hint and its client":  {[]string{"id_token_hint", hint, "client_id", oauth.ClientConsole}, p.url + "/sign-out"},
		"back, by the hint":      {[]string{"id_token_hint", hint, "post_logout_redirect_uri", home}, p.url + "/sign-out?client_id=penstock-console&post_logout_redirect_uri=" + url.QueryEscape(home)},
		"back, with a state":     {[]string{"client_id", oauth.ClientConsole, "post_logout_redirect_uri", home, "state", "s&t"}, p.url + "/sign-out?client_id=penstock-console&post_logout_redirect_uri=" + url.QueryEscape(home) + "&state=s%26t"},
		"a state alone":          {[]string{"state", "s"}, p.url + "/sign-out"},
		"elsewhere":              {[]string{"client_id", oauth.ClientConsole, "post_logout_redirect_uri", "https://evil.example.com/"}, ""},
		"elsewhere, by the hint": {[]string{"id_token_hint", hint, "post_logout_redirect_uri", home + "/../x"}, ""},
		"back, with a query":     {[]string{"client_id", oauth.ClientConsole, "post_logout_redirect_uri", home + "?x"}, ""},
		"back for nobody":        {[]string{"post_logout_redirect_uri", home}, ""},
		"back for who has none":  {[]string{"client_id", oauth.ClientCLI, "post_logout_redirect_uri", cliRedirect}, ""},
		"another client's hint":  {[]string{"id_token_hint", other, "client_id", oauth.ClientConsole}, ""},
		"another's, and back":    {[]string{"id_token_hint", other, "post_logout_redirect_uri", home}, ""},
		"an access token":        {[]string{"id_token_hint", token.AccessToken}, ""},
		"a changed hint":         {[]string{"id_token_hint", hint[:len(hint)-4] + "AAAA"}, ""},
		"no token":               {[]string{"id_token_hint", "x"}, ""},
		"an unsigned one":        {[]string{"id_token_hint", "eyJhbGciOiJub25lIn0." + strings.Split(hint, ".")[1] + "."}, ""},
	} {
		for _, a := range []answer{
			p.do(http.MethodGet, oauth.EndSessionPath+"?"+form(c.form...).Encode(), nil),
			p.do(http.MethodPost, oauth.EndSessionPath, form(c.form...)),
		} {
			switch {
			case c.want == "" && (a.status != http.StatusBadRequest || a.location != nil || a.kind() != "invalid_request"):
				t.Errorf("%s: got %v; want a refusal", name, a)
			case c.want != "" && (a.status != http.StatusFound || a.location.String() != c.want):
				t.Errorf("%s: got %v; want %s", name, a, c.want)
			}
		}
	}
	for _, c := range []struct{ client, redirect, state, want string }{
		{oauth.ClientConsole, home, "", home},
		{oauth.ClientConsole, home, "s&t", home + "?state=s%26t"},
		{oauth.ClientConsole, "https://evil.example.com/", "", ""},
		{oauth.ClientConsole, "", "", ""},
		{oauth.ClientCLI, home, "", ""},
		{"", home, "", ""},
	} {
		if got, err := p.AfterSignOut(t.Context(), c.client, c.redirect, c.state); got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%v: got %q %v", c, got, err)
		}
	}
}

// The plane's URL may change, and its keys: what was given out before is good,
// and everything new is of the new ones.
func TestIssuerChanges(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	ada := p.person("Ada")
	before := p.login(p.cli(allScopes), ada)
	if _, err := p.issuer.Rotate(t.Context(), func(cloud.Writer, issuer.Rotation) error { return nil }); err != nil {
		t.Fatal(err)
	}
	p.write(func(w cloud.Writer) error { return w.SetIssuer("https://new.example.com/base") })
	p.clock.advance(11 * cloud.SecretUseGrain) // over which keys are kept
	if !p.alive(before.AccessToken) {
		t.Error("what was given out before is of no use")
	}
	next := p.refreshed(oauth.ClientCLI, before.RefreshToken)
	if next.status != http.StatusOK {
		t.Fatal(next)
	}
	for _, name := range []string{"access_token", "id_token"} {
		token := next.body[name].(string)
		if iss := claimsOf(t, token)["iss"]; iss != "https://new.example.com/base" {
			t.Errorf("%s: got the issuer %v", name, iss)
		}
		if head, _, _ := strings.Cut(before.AccessToken, "."); strings.HasPrefix(token, head+".") {
			t.Errorf("%s is signed with the former key", name)
		}
	}
	if !p.alive(next.body["access_token"].(string)) {
		t.Error("the new token is of no use")
	}
	a := p.do(http.MethodGet, issuer.DiscoveryPath, nil)
	if a.body["issuer"] != "https://new.example.com/base" || a.body["jwks_uri"] != "https://new.example.com/base/.well-known/jwks.json" ||
		a.body["token_endpoint"] != "https://new.example.com/base/oauth/token" {
		t.Errorf("got %v", a)
	}
	if _, err := oidc.NewProvider(t.Context(), p.url); err == nil {
		t.Error("a client believes the new issuer at the old URL")
	}
	page := p.do(http.MethodGet, p.cli("openid").AuthCodeURL("s", oauth2.S256ChallengeOption(oauth2.GenerateVerifier())), nil)
	if page.location == nil || !strings.HasPrefix(page.location.String(), "https://new.example.com/base/sign-in?authorization=") {
		t.Errorf("got %v", page)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	for _, path := range []string{oauth.TokenPath, oauth.DevicePath, oauth.RevokePath, oauth.AuthorizePath, oauth.UserinfoPath, oauth.EndSessionPath} {
		a := p.post(path, "client_id", oauth.ClientCLI, "x", strings.Repeat("x", 64<<10))
		if a.status != http.StatusBadRequest || a.kind() != "invalid_request" || !strings.Contains(a.text, "65536 bytes") {
			t.Errorf("%s: got %v", path, a)
		}
	}
}

// What is wrong within is logged, and no client's to read.
func TestErrorsWithinSayNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		failure error
		status  int
	}{
		"internal": {errors.New("hunter2 is wrong"), http.StatusInternalServerError},
		"away":     {cloud.Unavailable(errors.New("hunter2 is away")), http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlane(t)
			ada := p.person("Ada")
			account, secret := p.service(p.organization("acme"))
			verifier := oauth2.GenerateVerifier()
			code := p.code(p.cli(allScopes), ada, verifier)
			token := p.login(p.cli(allScopes), ada)
			p.store.failure.Store(&c.failure)
			begin := p.cli("openid").AuthCodeURL("s", oauth2.S256ChallengeOption(verifier))
			for what, a := range map[string]answer{
				"authorize":   p.do(http.MethodGet, begin, nil),
				"exchange":    p.post(oauth.TokenPath, "grant_type", "authorization_code", "client_id", oauth.ClientCLI, "redirect_uri", cliRedirect, "code", code, "code_verifier", verifier),
				"refresh":     p.refreshed(oauth.ClientCLI, token.RefreshToken),
				"credentials": p.post(oauth.TokenPath, "grant_type", "client_credentials", "client_id", string(account), "client_secret", secret.Reveal()),
				"device":      p.post(oauth.DevicePath, "client_id", oauth.ClientCLI),
				"revoke":      p.post(oauth.RevokePath, "client_id", oauth.ClientCLI, "token", token.RefreshToken),
			} {
				if a.status != c.status || a.kind() != "server_error" || strings.Contains(a.text, "hunter2") || a.location != nil {
					t.Errorf("%s: got %v; want %d", what, a, c.status)
				}
			}
			log := p.log.String()
			if !strings.Contains(log, "hunter2") {
				t.Error("nothing of it is in the log")
			}
			for _, secret := range []string{secret.Reveal(), code, verifier, token.AccessToken, token.RefreshToken} {
				if strings.Contains(log, secret) {
					t.Error("a secret is in the log")
				}
			}
		})
	}
}
