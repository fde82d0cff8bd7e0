package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"github.com/penstock-cloud/penstock/internal/auth/oauth"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

// The whole of it, with the clients that everybody uses.
func TestCodeFlow(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	ada := p.person("Ada")
	provider, err := oidc.NewProvider(t.Context(), p.url)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]*oauth2.Config{
		"command line":          p.cli(allScopes),
		"command line, on IPv6": p.config(oauth.ClientCLI, "http://[::1]:7/callback", allScopes),
		"console":               p.console(allScopes),
	} {
		t.Run(name, func(t *testing.T) {
			c.Endpoint = provider.Endpoint()
			verifier := oauth2.GenerateVerifier()
			signedIn := p.clock.Now().Add(-time.Hour)
			callback, err := p.Agree(t.Context(), p.begin(c, verifier, oidc.Nonce("n-1")), ada, signedIn)
			if err != nil {
				t.Fatal(err)
			}
			u, _ := url.Parse(callback)
			token, err := c.Exchange(t.Context(), u.Query().Get("code"), oauth2.VerifierOption(verifier))
			if err != nil {
				t.Fatal(err)
			}
			if token.TokenType != "Bearer" || token.RefreshToken == "" || token.ExpiresIn != 900 || token.Extra("scope") != allScopes {
				t.Errorf("got %q for %d s with the scopes %v", token.TokenType, token.ExpiresIn, token.Extra("scope"))
			}

			raw, _ := token.Extra("id_token").(string)
			id, err := provider.VerifierContext(t.Context(), &oidc.Config{ClientID: c.ClientID, Now: p.clock.Now}).Verify(t.Context(), raw)
			if err != nil {
				t.Fatal(err)
			}
			if err := id.VerifyAccessToken(token.AccessToken); err != nil {
				t.Error(err)
			}
			var claims map[string]any
			if err := id.Claims(&claims); err != nil {
				t.Fatal(err)
			}
			delete(claims, "at_hash")
			now := float64(start.Unix())
			want := map[string]any{
				"iss": p.url, "sub": string(ada), "aud": c.ClientID, "azp": c.ClientID, "nonce": "n-1", "iat": now, "exp": now + 900,
				"auth_time": float64(signedIn.Unix()), "name": "Ada", "email": "ada@example.com", "email_verified": true,
			}
			if diff := cmp.Diff(want, normal(claims)); diff != "" {
				t.Error(diff)
			}

			info, err := provider.UserInfo(t.Context(), oauth2.StaticTokenSource(token))
			if err != nil {
				t.Fatal(err)
			}
			if info.Subject != string(ada) || info.Email != "ada@example.com" || !info.EmailVerified {
				t.Errorf("got %+v", info)
			}

			principal, err := p.verify.Verify(t.Context(), token.AccessToken)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(cloud.Principal{UserID: ada, TokenID: principal.TokenID}, principal); diff != "" || principal.TokenID == "" {
				t.Error(diff, principal)
			}
			if _, err := p.verify.Verify(t.Context(), raw); cloud.CodeOf(err) != cloud.CodeUnauthenticated || !strings.Contains(err.Error(), "not for this API") {
				t.Errorf("got %v for an ID token; want that it is no access token", err)
			}
			if p.alive(raw) {
				t.Error("an ID token opens userinfo")
			}
		})
	}
}

// normal puts an audience of one into the form of one.
func normal(claims map[string]any) map[string]any {
	if list, ok := claims["aud"].([]any); ok && len(list) == 1 {
		claims["aud"] = list[0]
	}
	return claims
}

// What an access token says, to the letter: the regions read it too.
func TestAccessTokenClaims(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	ada := p.person("Ada")
	token := p.login(p.cli("openid"), ada).AccessToken
	claims := claimsOf(t, token)
	if id, _ := claims["jti"].(string); len(id) != 36 {
		t.Errorf("got the id %q", id)
	}
	delete(claims, "jti")
	now := float64(start.Unix())
	want := map[string]any{
		"iss": p.url, "sub": string(ada), "aud": []any{"penstock"}, "iat": now, "exp": now + 900, "client_id": "penstock-cli", "scope": "openid",
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Error(diff)
	}
}

func TestCodeExchangeRefuses(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	ada := p.person("Ada")
	verifier := oauth2.GenerateVerifier()
	code := p.code(p.cli(allScopes), ada, verifier)
	good := []string{"grant_type", "authorization_code", "client_id", oauth.ClientCLI, "redirect_uri", cliRedirect, "code", code, "code_verifier", verifier}
	for name, c := range map[string]struct {
		change []string
		status int
		kind   string
	}{
		"another verifier":          {[]string{"code_verifier", oauth2.GenerateVerifier()}, 400, "invalid_grant"},
		"no verifier":               {[]string{"code_verifier", ""}, 400, "invalid_request"},
		"the challenge":             {[]string{"code_verifier", oauth2.S256ChallengeFromVerifier(verifier)}, 400, "invalid_grant"},
		"another redirect":          {[]string{"redirect_uri", "http://127.0.0.1:41235/callback"}, 400, "invalid_grant"},
		"no redirect":               {[]string{"redirect_uri", ""}, 400, "invalid_request"},
		"another client's code":     {[]string{"client_id", oauth.ClientConsole}, 400, "invalid_grant"},
		"another code":              {[]string{"code", "psc_0"}, 400, "invalid_grant"},
		"no code":                   {[]string{"code", ""}, 400, "invalid_request"},
		"an unknown client":         {[]string{"client_id", "nobody"}, 401, "invalid_client"},
		"a secret for who has none": {[]string{"client_secret", "hunter2"}, 401, "invalid_client"},
		"no client":                 {[]string{"client_id", ""}, 400, "invalid_request"},
		"another grant":             {[]string{"grant_type", "password"}, 400, "unsupported_grant_type"},
		"no grant":                  {[]string{"grant_type", ""}, 400, "invalid_request"},
		"the JWT grant":             {[]string{"grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion", "x"}, 400, "unsupported_grant_type"},
		"an exchange of tokens":     {[]string{"grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"}, 400, "unauthorized_client"},
		"a grant for programs":      {[]string{"grant_type", "client_credentials"}, 400, "unauthorized_client"},
		"too long a code":           {[]string{"code", strings.Repeat("x", 129)}, 400, "invalid_request"},
		"too long a client":         {[]string{"client_id", strings.Repeat("x", 129)}, 400, "invalid_request"},
	} {
		f := form(good...)
		for i := 0; i < len(c.change); i += 2 {
			f.Set(c.change[i], c.change[i+1])
		}
		a := p.do(http.MethodPost, oauth.TokenPath, f)
		if a.status != c.status || a.kind() != c.kind || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %v %v; want %d %s", name, a, a.header, c.status, c.kind)
		}
		if challenge := a.header.Get("WWW-Authenticate"); (a.status == 401) != (challenge != "") {
			t.Errorf("%s: got the challenge %q", name, challenge)
		}
	}
	twice := form(good...)
	twice.Add("code", code)
	if a := p.do(http.MethodPost, oauth.TokenPath, twice); a.kind() != "invalid_request" {
		t.Errorf("two codes: %v", a)
	}
	if a := p.do(http.MethodPost, oauth.TokenPath+"?"+form(good...).Encode(), form("grant_type", "authorization_code")); a.kind() != "invalid_request" {
		t.Errorf("a code in the URL: %v", a)
	}
	if a := p.post(oauth.TokenPath, good...); a.status != http.StatusOK { // nothing of that used it up
		t.Errorf("the good one: %v", a)
	}
}

// A code that comes again ends what it was exchanged for, with and without a
// refresh token.
func TestCodeReplayed(t *testing.T) {
	t.Parallel()
	for _, scopes := range []string{allScopes, "openid", "profile"} {
		t.Run(scopes, func(t *testing.T) {
			t.Parallel()
			p := newPlane(t)
			ada := p.person("Ada")
			verifier := oauth2.GenerateVerifier()
			c := p.cli(scopes)
			code := p.code(c, ada, verifier)
			token, err := c.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
			if err != nil {
				t.Fatal(err)
			}
			other := p.login(c, ada)
			if !p.alive(token.AccessToken) {
				t.Fatal("the token is of no use to begin with")
			}
			// Who replays need not know the verifier: the code has leaked.
			_, err = c.Exchange(t.Context(), code, oauth2.VerifierOption(oauth2.GenerateVerifier()))
			refusedWith(t, err, "invalid_grant")
			if p.alive(token.AccessToken) {
				t.Error("the access token goes on")
			}
			if token.RefreshToken != "" {
				if a := p.refreshed(oauth.ClientCLI, token.RefreshToken); a.kind() != "invalid_grant" {
					t.Errorf("refresh: %v", a)
				}
			}
			if !p.alive(other.AccessToken) {
				t.Error("another sign-in ended too")
			}
			p.wantAudit("", "token.code-reuse", ada, cloud.Actor{Kind: cloud.ActorSystem, ID: "penstock"})
		})
	}
}

func (p *plane) wantAudit(organization cloud.ID, action string, target cloud.ID, actor cloud.Actor) {
	p.t.Helper()
	entries := p.auditedIn(organization)
	if len(entries) != 1 {
		p.t.Fatalf("got %d entries in the audit; want one", len(entries))
	}
	e := entries[0]
	if e.Action != action || e.Target != string(target) || e.Actor != actor || e.OrganizationID != organization {
		p.t.Errorf("got %+v; want %s of %s by %v", e, action, target, actor)
	}
	if !strings.Contains(e.Before, `"client":"`) || strings.Contains(e.Before, "psr_") {
		p.t.Errorf("got %s", e.Before)
	}
}

// Of many who exchange one code at once at most one gets tokens, which the
// others end.
func TestCodeExchangedAtOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, p *plane) {
		ada := p.person("Ada")
		verifier := oauth2.GenerateVerifier()
		c := p.cli(allScopes)
		code := p.code(c, ada, verifier)
		tokens := atOnce(8, func() string {
			token, err := c.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
			if err != nil {
				refusedWith(t, err, "invalid_grant")
				return ""
			}
			return token.AccessToken
		})
		if len(tokens) != 1 {
			t.Fatalf("%d got tokens; want one", len(tokens))
		}
		if p.alive(tokens[0]) {
			t.Error("the token goes on")
		}
	})
}

// atOnce runs fn n times and returns what was not empty.
func atOnce(n int, fn func() string) (got []string) {
	results := make([]string, n)
	var all sync.WaitGroup
	for i := range results {
		all.Go(func() { results[i] = fn() })
	}
	all.Wait()
	for _, r := range results {
		if r != "" {
			got = append(got, r)
		}
	}
	return got
}

func TestCodeExpires(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	ada := p.person("Ada")
	verifier := oauth2.GenerateVerifier()
	c := p.cli("openid")
	code := p.code(c, ada, verifier)
	id := p.begin(c, verifier)
	p.clock.advance(cloud.AuthorizationTTL)
	_, err := c.Exchange(t.Context(), code, oauth2.VerifierOption(verifier))
	refusedWith(t, err, "invalid_grant")
	if _, err := p.Agree(t.Context(), id, ada, p.clock.Now()); cloud.CodeOf(err) != cloud.CodeNotFound {
		t.Errorf("agree: got %v; want %s", err, cloud.CodeNotFound)
	}
	if _, err := p.Describe(t.Context(), id); cloud.CodeOf(err) != cloud.CodeNotFound {
		t.Errorf("describe: got %v; want %s", err, cloud.CodeNotFound)
	}
	if _, err := p.Refuse(t.Context(), id); cloud.CodeOf(err) != cloud.CodeNotFound {
		t.Errorf("refuse: got %v; want %s", err, cloud.CodeNotFound)
	}
}
