package oauth

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// The ids of the programs of ours that act for people. They keep no secrets;
// that a code reaches whoever asked for it is PKCE's work.
const (
	ClientCLI     = "penstock-cli"
	ClientConsole = "penstock-console"
)

// client is a program that gets tokens. It implements op.Client.
type client struct {
	id      string
	name    string // as people read it
	kind    op.ApplicationType
	grants  []oidc.GrantType
	account cloud.ServiceAccount // whose credentials it showed; zero for a public client

	redirects  []string
	afterwards []string // where browsers may go after signing out
	plaintext  bool     // the plane has an http URL
}

var _ op.Client = client{}

// publicClient returns a client of ours, of a plane at the issuer's URL.
func publicClient(id, issuer string) (client, bool) {
	switch id {
	case ClientCLI:
		return client{
			id: id, name: "Penstock command line", kind: op.ApplicationTypeNative,
			grants:    []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken, oidc.GrantTypeDeviceCode},
			redirects: []string{"http://127.0.0.1" + loopbackPath, "http://[::1]" + loopbackPath},
		}, true
	case ClientConsole:
		return client{
			id: id, name: "Penstock console", kind: op.ApplicationTypeUserAgent,
			grants:     []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken},
			redirects:  []string{at(issuer, "/console/callback")},
			afterwards: []string{at(issuer, "/console/")},
			plaintext:  strings.HasPrefix(issuer, "http://"),
		}, true
	default:
		return client{}, false
	}
}

// clientName is a public client's, as people read it.
func clientName(id string) string {
	c, _ := publicClient(id, "")
	return c.name
}

func serviceClient(a cloud.ServiceAccount) client {
	return client{
		id: string(a.ID), name: a.Name, kind: op.ApplicationTypeWeb,
		grants: []oidc.GrantType{oidc.GrantTypeClientCredentials}, account: a,
	}
}

// loopbackPath is where a command line waits for its code.
const loopbackPath = "/callback"

// mayRedirect reports whether browsers go to an URL with codes for the client.
// It is compared as a whole: what parsers may understand in several ways is
// refused. A command line listens on whichever port is free (RFC 8252, 7.3).
func (c client) mayRedirect(uri string) bool {
	if c.kind != op.ApplicationTypeNative {
		return slices.Contains(c.redirects, uri)
	}
	u, err := url.Parse(uri)
	if err != nil {
		return false
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil || port == 0 {
		return false
	}
	for _, host := range []string{"127.0.0.1", "::1"} {
		if uri == "http://"+net.JoinHostPort(host, strconv.FormatUint(port, 10))+loopbackPath {
			return true
		}
	}
	return false
}

// GetID implements op.Client, as do the following.
func (c client) GetID() string { return c.id }

// RedirectURIs lists those without their port.
func (c client) RedirectURIs() []string { return c.redirects }

// PostLogoutRedirectURIs lists those that are compared as they are.
func (c client) PostLogoutRedirectURIs() []string { return c.afterwards }

// ApplicationType says how redirects are compared.
func (c client) ApplicationType() op.ApplicationType { return c.kind }

// AuthMethod says whether there are secrets.
func (c client) AuthMethod() oidc.AuthMethod {
	if c.account.ID == "" {
		return oidc.AuthMethodNone
	}
	return oidc.AuthMethodPost
}

// ResponseTypes is the one that is left of OAuth 2.0 (RFC 9700, 2.1.2).
func (c client) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}

// GrantTypes lists what the client may do.
func (c client) GrantTypes() []oidc.GrantType { return c.grants }

// LoginURL is for servers other than ours.
func (c client) LoginURL(id string) string { return SignInPage + "?authorization=" + id }

// AccessTokenType is as what we make them.
func (c client) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }

// IDTokenLifetime is an access token's.
func (c client) IDTokenLifetime() time.Duration { return cloud.AccessTokenTTL }

// DevMode permits a redirect to an http URL, which is the plane's own.
func (c client) DevMode() bool { return c.plaintext }

// RestrictAdditionalIdTokenScopes restricts nothing: there are no such scopes.
func (c client) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}

// RestrictAdditionalAccessTokenScopes restricts nothing either.
func (c client) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}

// IsScopeAllowed permits scopes beyond OpenID Connect's.
func (c client) IsScopeAllowed(scope string) bool { return strings.HasPrefix(scope, organizationScope) }

// IDTokenUserinfoClaimsAssertion says that ID tokens tell who it is.
func (c client) IDTokenUserinfoClaimsAssertion() bool { return true }

// ClockSkew is left to verifiers.
func (c client) ClockSkew() time.Duration { return 0 }
