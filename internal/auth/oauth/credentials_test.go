package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/penstock-cloud/penstock/internal/auth/oauth"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

func (p *plane) credentials(account cloud.ID, secret cloud.Secret, style oauth2.AuthStyle) *clientcredentials.Config {
	return &clientcredentials.Config{
		ClientID: string(account), ClientSecret: secret.Reveal(), TokenURL: p.url + oauth.TokenPath, AuthStyle: style,
		EndpointParams: url.Values{"audience": {"https://api.example.com/v1", "another"}},
	}
}

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	acme := p.organization("acme")
	account, secret := p.service(acme)
	for name, style := range map[string]oauth2.AuthStyle{
		"in the form": oauth2.AuthStyleInParams, "by Basic": oauth2.AuthStyleInHeader, "as they find out": oauth2.AuthStyleAutoDetect,
	} {
		c := p.credentials(account, secret, style)
		c.Scopes = []string{"openid", "offline_access", "anything"}
		token, err := c.Token(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if token.TokenType != "Bearer" || token.Extra("expires_in") != 900.0 || token.RefreshToken != "" || token.Extra("id_token") != nil {
			t.Errorf("%s: got %s for %v s, and more", name, token.TokenType, token.Extra("expires_in"))
		}
		got, err := p.verify.Verify(t.Context(), token.AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		want := cloud.Principal{UserID: account, OrganizationID: acme, TokenID: got.TokenID}
		if diff := cmp.Diff(want, got); diff != "" || got.TokenID == "" {
			t.Error(diff, got)
		}
		if aud := claimsOf(t, token.AccessToken)["aud"]; !cmp.Equal(aud, []any{"penstock"}) {
			t.Errorf("%s: got the audience %v", name, aud)
		}
	}
}

// Whether an account exists only its secret tells.
func TestClientCredentialsRefuse(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	acme := p.organization("acme")
	account, secret := p.service(acme)
	_, otherSecret := p.serviceNamed(acme, "other")
	ada := p.person("Ada")
	grant := func(id, secret string) answer {
		return p.post(oauth.TokenPath, "grant_type", "client_credentials", "client_id", id, "client_secret", secret)
	}
	want := grant(string(account), "wrong")
	if want.status != http.StatusUnauthorized || want.kind() != "invalid_client" {
		t.Fatalf("got %v", want)
	}
	for name, got := range map[string]answer{
		"unknown":                    grant(string(newID()), "wrong"),
		"unknown, with a secret":     grant(string(newID()), secret.Reveal()),
		"not an id":                  grant("deploy", "wrong"),
		"another account's secret":   grant(string(account), otherSecret.Reveal()),
		"a person":                   grant(string(ada), "wrong"),
		"no secret":                  grant(string(account), ""),
		"the secret's hash":          grant(string(account), strings.Repeat("0", 64)),
		"the secret in capitals":     grant(string(account), strings.ToUpper(secret.Reveal())),
		"one of ours, with a secret": grant(oauth.ClientCLI, secret.Reveal()),
		"by Basic, wrong":            p.do(http.MethodPost, oauth.TokenPath, form("grant_type", "client_credentials"), "Authorization", basic(string(account), "wrong")),
		"by Basic, unknown":          p.do(http.MethodPost, oauth.TokenPath, form("grant_type", "client_credentials"), "Authorization", basic("x", "wrong")),
	} {
		if got.status != want.status || got.text != want.text || got.header.Get("WWW-Authenticate") != `Basic realm="penstock"` {
			t.Errorf("%s: got %v; want %v", name, got, want)
		}
	}
	for name, got := range map[string]answer{
		"in two ways": p.do(http.MethodPost, oauth.TokenPath, form("grant_type", "client_credentials", "client_id", string(account), "client_secret", secret.Reveal()),
			"Authorization", basic(string(account), secret.Reveal())),
		"in the URL":   p.do(http.MethodPost, oauth.TokenPath+"?client_secret="+secret.Reveal()+"&client_id="+string(account), form("grant_type", "client_credentials")),
		"an assertion": p.post(oauth.TokenPath, "grant_type", "client_credentials", "client_assertion", "x", "client_assertion_type", "y"),
	} {
		if got.status != http.StatusBadRequest || got.kind() != "invalid_request" {
			t.Errorf("%s: got %v", name, got)
		}
	}
	for _, kind := range []string{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"} {
		a := p.post(oauth.TokenPath, "grant_type", kind, "client_id", string(account), "client_secret", secret.Reveal())
		if a.kind() != "unauthorized_client" {
			t.Errorf("%s: got %v", kind, a)
		}
	}
}

func basic(id, secret string) string {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	return r.Header.Get("Authorization")
}

// Two secrets are good at a time, so that one replaces the other without a gap.
func TestSecretsRotate(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	account, first := p.service(p.organization("acme"))
	_, second := p.serviceSecret(account)
	good := func(s cloud.Secret) bool {
		_, err := p.credentials(account, s, oauth2.AuthStyleInParams).Token(t.Context())
		if err != nil {
			refusedWith(t, err, "invalid_client")
		}
		return err == nil
	}
	if !good(first) || !good(second) {
		t.Error("not both are good")
	}
	third := cloud.ServiceSecret{ID: newID(), ServiceAccountID: account, Hash: cloud.NewSecret("third").Hash(), CreatedAt: start}
	if err := p.store.Write(t.Context(), func(w cloud.Writer) error { return w.CreateServiceSecret(third) }); cloud.CodeOf(err) != cloud.CodeConflict {
		t.Errorf("a third: got %v; want %s", err, cloud.CodeConflict)
	}
	if good(cloud.NewSecret("third")) {
		t.Error("the third is good")
	}
	secrets := p.secretsOf(account)
	p.write(func(w cloud.Writer) error { return w.DeleteServiceSecret(account, secrets[0].ID) })
	if good(first) || !good(second) {
		t.Error("the one that was taken away is good, or the other is not")
	}
}

func (p *plane) secretsOf(account cloud.ID) (secrets []cloud.ServiceSecret) {
	p.t.Helper()
	err := p.store.Read(p.t.Context(), func(r cloud.Reader) (err error) {
		secrets, err = r.ServiceSecrets(account)
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return secrets
}

func TestLastUseOfASecret(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	account, secret := p.service(p.organization("acme"))
	_, unused := p.serviceSecret(account)
	for _, c := range []struct{ advance, want time.Duration }{{0, 0}, {59 * time.Second, 0}, {time.Second, time.Minute}, {-time.Hour, -59 * time.Minute}} {
		p.clock.advance(c.advance)
		if _, err := p.credentials(account, secret, oauth2.AuthStyleInParams).Token(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, _ = p.credentials(account, cloud.NewSecret("x"), oauth2.AuthStyleInParams).Token(t.Context())
		for _, s := range p.secretsOf(account) {
			if s.Hash.Matches(unused) && !s.LastUsedAt.IsZero() || s.Hash.Matches(secret) && !s.LastUsedAt.Equal(start.Add(c.want)) {
				t.Errorf("after %v: last used at %v; want %v after the start", c.advance, s.LastUsedAt, c.want)
			}
		}
	}
}

func TestSuspendedServiceAccount(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	account, secret := p.service(p.organization("acme"))
	token, err := p.credentials(account, secret, oauth2.AuthStyleInParams).Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.write(func(w cloud.Writer) error { return w.SuspendUser(account, p.clock.Now()) })
	a := p.post(oauth.TokenPath, "grant_type", "client_credentials", "client_id", string(account), "client_secret", secret.Reveal())
	if a.status != http.StatusUnauthorized || a.kind() != "invalid_client" || !strings.Contains(a.text, "suspended") {
		t.Errorf("got %v", a)
	}
	a = p.post(oauth.TokenPath, "grant_type", "client_credentials", "client_id", string(account), "client_secret", "wrong")
	if a.kind() != "invalid_client" || strings.Contains(a.text, "suspended") {
		t.Errorf("without the secret: got %v", a)
	}
	p.write(func(w cloud.Writer) error { return w.SuspendUser(account, time.Time{}) })
	if _, err := p.credentials(account, secret, oauth2.AuthStyleInParams).Token(t.Context()); err != nil {
		t.Error(err)
	}
	// With the account its tokens are gone.
	var organization cloud.ID
	if principal, err := p.verify.Verify(t.Context(), token.AccessToken); err == nil {
		organization = principal.OrganizationID
	}
	p.write(func(w cloud.Writer) error { return w.DeleteServiceAccount(organization, account) })
	_, err = p.credentials(account, secret, oauth2.AuthStyleInParams).Token(t.Context())
	refusedWith(t, err, "invalid_client")
	if p.alive(token.AccessToken) {
		t.Error("the token of an account that is gone goes on")
	}
}
