// Package oauth is the plane's OAuth 2.0 and OpenID Connect server: programs get
// tokens from it that act for a person, or for themselves.
//
// It owns the clients there are, what each may ask for, and the rules by which
// codes and tokens are given out, followed and ended; package op of zitadel/oidc
// owns the protocol around them. The pages on which people sign in and agree are
// elsewhere, and call what is exported here. What a token opens is decided
// elsewhere too, on every request: nothing here gives a role.
package oauth
