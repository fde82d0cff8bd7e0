package oauth

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/penstock-cloud/penstock/internal/auth"
)

// endSession returns the page on which a browser signs out (OpenID Connect
// RP-Initiated Logout 1.0, 2). It asks: a link elsewhere signs nobody out.
func (s *Server) endSession(ctx context.Context, r *oidc.EndSessionRequest) (page string, err error) {
	keys, err := s.Issuer.Keys(ctx)
	if err != nil {
		return "", err
	}
	client := r.ClientID
	if r.IdTokenHint != "" {
		if client, err = hintedClient(ctx, keys, r); err != nil {
			return "", err
		}
	}
	afterwards := url.Values{}
	if r.PostLogoutRedirectURI != "" {
		if _, err := s.AfterSignOut(ctx, client, r.PostLogoutRedirectURI, r.State); err != nil {
			return "", err
		}
		afterwards.Set("client_id", client)
		afterwards.Set("post_logout_redirect_uri", r.PostLogoutRedirectURI)
		if r.State != "" {
			afterwards.Set("state", r.State)
		}
	}
	if len(afterwards) == 0 {
		return s.url(ctx, SignOutPage)
	}
	return s.url(ctx, SignOutPage+"?"+afterwards.Encode())
}

// AfterSignOut returns where a browser that is signed out goes on: the page hands
// it what its URL says. The error is the client's if that is not a place of its.
func (s *Server) AfterSignOut(ctx context.Context, clientID, redirect, state string) (string, error) {
	issuer, err := s.url(ctx, "")
	if err != nil {
		return "", err
	}
	c, ok := publicClient(clientID, issuer)
	if !ok || !slices.Contains(c.afterwards, redirect) {
		return "", oidc.ErrInvalidRequest().WithDescription("post_logout_redirect_uri is not one of this client's")
	}
	if state == "" {
		return redirect, nil
	}
	return redirect + "?" + url.Values{"state": {state}}.Encode(), nil
}

// hintedClient returns the client to which an ID token was given. That it has
// expired is no matter.
func hintedClient(ctx context.Context, keys *auth.KeySet, r *oidc.EndSessionRequest) (string, error) {
	wrong := oidc.ErrInvalidRequest().WithDescription("id_token_hint is not an ID token that this client got here")
	verifier := op.NewIDTokenHintVerifier("", hintKeys{keys}, op.WithSupportedIDTokenHintSigningAlgorithms(auth.RS256))
	verifier.ISS = func(issuer string) error {
		if !slices.Contains(keys.Issuers, issuer) {
			return oidc.ErrIssuerInvalid
		}
		return nil
	}
	claims, err := op.VerifyIDTokenHint[*oidc.IDTokenClaims](ctx, r.IdTokenHint, verifier)
	var expired op.IDTokenHintExpiredError
	if err != nil && !errors.As(err, &expired) {
		return "", wrong
	}
	if len(claims.Audience) != 1 || r.ClientID != "" && claims.Audience[0] != r.ClientID {
		return "", wrong
	}
	if _, ok := publicClient(claims.Audience[0], ""); !ok { // an access token, for one
		return "", wrong
	}
	return claims.Audience[0], nil
}

// hintKeys are the keys of ours by which an ID token is known. It implements
// oidc.KeySet.
type hintKeys struct{ *auth.KeySet }

// VerifySignature implements oidc.KeySet.
func (k hintKeys) VerifySignature(_ context.Context, jws *jose.JSONWebSignature) ([]byte, error) {
	id, algorithm := oidc.GetKeyIDAndAlg(jws)
	key, ok := k.Keys[id]
	if !ok || key.Algorithm != algorithm {
		return nil, oidc.ErrSignatureInvalid
	}
	return jws.Verify(key.Public)
}
