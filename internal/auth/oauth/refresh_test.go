package oauth_test

import (
	"net/http"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/penstock-cloud/penstock/internal/auth/oauth"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

func TestRefresh(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	ada := p.person("Ada")
	c := p.cli(allScopes)
	first := p.login(c, ada)
	p.clock.advance(cloud.AccessTokenTTL + 2*time.Minute)
	if p.alive(first.AccessToken) {
		t.Error("the first token goes on after its end")
	}
	second, err := c.TokenSource(t.Context(), &oauth2.Token{RefreshToken: first.RefreshToken}).Token()
	if err != nil {
		t.Fatal(err)
	}
	if second.RefreshToken == first.RefreshToken || second.RefreshToken == "" || !p.alive(second.AccessToken) {
		t.Errorf("got %+v", second)
	}
	id, _ := second.Extra("id_token").(string)
	claims := claimsOf(t, id)
	if claims["auth_time"] != float64(start.Unix()) || claims["sub"] != string(ada) || claims["nonce"] != nil || claims["iat"] != float64(p.clock.Now().Unix()) {
		t.Errorf("got the ID token %v", claims)
	}

	// Fewer scopes are for this one time; more there are not.
	narrow := p.post(oauth.TokenPath, "grant_type", "refresh_token", "client_id", oauth.ClientCLI, "refresh_token", second.RefreshToken, "scope", "profile")
	if narrow.status != http.StatusOK || narrow.body["scope"] != "profile" || narrow.body["id_token"] != nil {
		t.Fatalf("narrow: %v", narrow)
	}
	if info := p.userinfoOf(narrow.body["access_token"].(string)); info.body["name"] != "Ada" || info.body["email"] != nil {
		t.Errorf("narrow: %v", info)
	}
	token := narrow.body["refresh_token"].(string)
	wide := p.post(oauth.TokenPath, "grant_type", "refresh_token", "client_id", oauth.ClientCLI, "refresh_token", token, "scope", "openid org:"+string(newID()))
	if wide.kind() != "invalid_scope" {
		t.Errorf("wide: %v", wide)
	}
	if a := p.refreshed(oauth.ClientCLI, token); a.status != http.StatusOK || a.body["scope"] != allScopes {
		t.Errorf("all again: %v", a)
	}
}

func TestRefreshRefuses(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	ada := p.person("Ada")
	token := p.login(p.cli(allScopes), ada)
	if other := p.login(p.cli("openid"), ada); other.RefreshToken != "" {
		t.Error("there is a refresh token that nobody asked for")
	}
	for name, c := range map[string]struct{ client, token, kind string }{
		"another client":  {oauth.ClientConsole, token.RefreshToken, "invalid_grant"},
		"unknown":         {oauth.ClientCLI, "psr_0", "invalid_grant"},
		"none":            {oauth.ClientCLI, "", "invalid_request"},
		"an access token": {oauth.ClientCLI, token.AccessToken, "invalid_request"},
		"nobody":          {"nobody", token.RefreshToken, "invalid_client"},
	} {
		if a := p.refreshed(c.client, c.token); a.kind() != c.kind {
			t.Errorf("%s: got %v; want %s", name, a, c.kind)
		}
	}
	p.clock.advance(cloud.RefreshTokenTTL)
	if a := p.refreshed(oauth.ClientCLI, token.RefreshToken); a.kind() != "invalid_grant" {
		t.Errorf("expired: %v", a)
	}
}

// A refresh token that comes again ends the whole family at once.
func TestRefreshReplayed(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, p *plane) {
		ada := p.person("Ada")
		first := p.login(p.cli(allScopes), ada)
		other := p.login(p.cli(allScopes), ada)
		second := p.refreshed(oauth.ClientCLI, first.RefreshToken)
		third := p.refreshed(oauth.ClientCLI, second.body["refresh_token"].(string))
		tokens := []string{first.AccessToken, second.body["access_token"].(string), third.body["access_token"].(string)}
		for i, token := range tokens {
			if !p.alive(token) {
				t.Fatalf("token %d is of no use to begin with", i)
			}
		}
		if a := p.refreshed(oauth.ClientCLI, first.RefreshToken); a.kind() != "invalid_grant" {
			t.Errorf("the first again: %v", a)
		}
		for i, token := range tokens {
			if p.alive(token) {
				t.Errorf("token %d goes on", i)
			}
		}
		if a := p.refreshed(oauth.ClientCLI, third.body["refresh_token"].(string)); a.kind() != "invalid_grant" {
			t.Errorf("the last one: %v", a)
		}
		if !p.alive(other.AccessToken) {
			t.Error("another sign-in ended too")
		}
		p.wantAudit("", "token.refresh-reuse", ada, cloud.Actor{Kind: cloud.ActorSystem, ID: "penstock"})

		// Every API reads that, for as long as the tokens would be believed.
		revoked := func() int {
			standing, err := p.store.Standing(t.Context(), ada)
			if err != nil {
				t.Fatal(err)
			}
			return len(standing.RevokedTokens)
		}
		if n := revoked(); n != 3 {
			t.Errorf("%d tokens are revoked; want 3", n)
		}
		p.clock.advance(cloud.AccessTokenTTL + 59*time.Second)
		p.write(func(w cloud.Writer) error { return w.DeleteExpired(p.clock.Now()) })
		if n := revoked(); n != 3 {
			t.Errorf("%d tokens are revoked while one is believed; want 3", n)
		}
		p.clock.advance(time.Second)
		p.write(func(w cloud.Writer) error { return w.DeleteExpired(p.clock.Now()) })
		if n := revoked(); n != 0 {
			t.Errorf("%d tokens are revoked in the end; want none", n)
		}
	})
}

func TestRefreshedAtOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, p *plane) {
		token := p.login(p.cli(allScopes), p.person("Ada"))
		got := atOnce(8, func() string {
			a := p.refreshed(oauth.ClientCLI, token.RefreshToken)
			if a.status != http.StatusOK {
				if a.kind() != "invalid_grant" {
					t.Errorf("got %v", a)
				}
				return ""
			}
			return a.body["access_token"].(string)
		})
		if len(got) != 1 || p.alive(got[0]) || p.alive(token.AccessToken) {
			t.Errorf("%d got tokens; want one, which is dead", len(got))
		}
	})
}

// Nothing that can be used is in the store.
func TestSecretsAreStoredHashed(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	token := p.login(p.cli(allScopes), p.person("Ada"))
	err := p.store.Read(t.Context(), func(r cloud.Reader) error {
		_, err := r.RefreshToken(cloud.SecretHash(token.RefreshToken), p.clock.Now())
		if cloud.CodeOf(err) != cloud.CodeNotFound {
			t.Errorf("as it is: %v", err)
		}
		_, err = r.RefreshToken(cloud.NewSecret(token.RefreshToken).Hash(), p.clock.Now())
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if n := len(token.RefreshToken) - len("psr_"); n != 43 { // 256 bits in base64url
		t.Errorf("a refresh token has %d random characters; want 43", n)
	}
}
