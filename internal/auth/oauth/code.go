package oauth

import (
	"context"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// exchangeCode gives tokens for a code, once. A code that comes again was seen by
// somebody else: then what was given for it is taken back (RFC 6749, 4.1.2).
func (s *Server) exchangeCode(ctx context.Context, client string, r *oidc.AccessTokenRequest) (*oidc.AccessTokenResponse, error) {
	signer, err := s.Issuer.Signer(ctx)
	if err != nil {
		return nil, err
	}
	code, first, refresh := cloud.NewSecret(r.Code), s.NewID(), cloud.DrawSecret(refreshPrefix)
	var g grant
	err = s.decide(ctx, func(tx cloud.Writer) (*oidc.Error, error) {
		a, err := tx.AuthorizationByCode(code.Hash(), s.Now())
		if cloud.CodeOf(err) == cloud.CodeNotFound || err == nil && a.ClientID != client {
			return invalidGrant(), nil
		}
		if err != nil {
			return nil, err
		}
		p, err := parametersOf(a)
		if err != nil {
			return nil, err
		}
		if a.Family != "" {
			return s.codeAgain(ctx, tx, a, p)
		}
		if refused := p.checkExchange(r); refused != nil {
			return refused, nil
		}
		if refused, err := stillMayActFor(tx, a.UserID, p.Scopes); refused != nil || err != nil {
			return refused, err
		}
		err = tx.ExchangeAuthorization(a.ID, first)
		if cloud.CodeOf(err) == cloud.CodeNotFound { // the person took it back just now
			return invalidGrant(), nil
		}
		if err != nil {
			return nil, err
		}
		g = grant{client: client, user: a.UserID, scopes: p.Scopes, nonce: p.Nonce, authTime: a.AuthTime, tokenID: first}
		if hasRefresh(p.Scopes) {
			g.refresh = refresh
		}
		return nil, s.complete(tx, &g, first, p.Scopes)
	})
	switch {
	case cloud.CodeOf(err) == cloud.CodeConflict: // somebody was faster: now it comes again
		return s.exchangeCode(ctx, client, r)
	case err != nil:
		return nil, err
	}
	return s.tokens(signer, g)
}

// codeAgain ends what an exchanged code was exchanged for.
func (s *Server) codeAgain(ctx context.Context, tx cloud.Writer, a cloud.Authorization, p parameters) (*oidc.Error, error) {
	return invalidGrant(), s.endFamily(ctx, tx, family{
		id: a.Family, user: a.UserID, client: a.ClientID, scopes: p.Scopes, action: "token.code-reuse", actor: system,
	})
}

// checkExchange holds for who asked for the code (RFC 7636, 4.6; RFC 6749,
// 4.1.3).
func (p parameters) checkExchange(r *oidc.AccessTokenRequest) *oidc.Error {
	const shortest = 43 // RFC 7636, 4.1
	challenge := &oidc.CodeChallenge{Challenge: p.Challenge, Method: oidc.CodeChallengeMethodS256}
	switch {
	case r.CodeVerifier == "":
		return oidc.ErrInvalidRequest().WithDescription("code_verifier is missing")
	case len(r.CodeVerifier) < shortest || !oidc.VerifyCodeChallenge(challenge, r.CodeVerifier):
		return oidc.ErrInvalidGrant().WithDescription("code_verifier is not the one of this code")
	case r.RedirectURI != p.RedirectURI:
		return oidc.ErrInvalidGrant().WithDescription("redirect_uri is not the one of this code")
	}
	return nil
}
