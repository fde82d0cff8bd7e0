package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func hasRefresh(scopes []string) bool { return slices.Contains(scopes, oidc.ScopeOfflineAccess) }

// refresh gives new tokens for a refresh token, and another one in its place. One
// that comes again is in two hands, and nobody knows in which of them rightly: the
// family ends (RFC 9700, 4.14.2).
func (s *Server) refresh(ctx context.Context, client string, presented cloud.Secret, asked []string) (*oidc.AccessTokenResponse, error) {
	signer, err := s.Issuer.Signer(ctx)
	if err != nil {
		return nil, err
	}
	id, next := s.NewID(), cloud.DrawSecret(refreshPrefix)
	var g grant
	err = s.decide(ctx, func(tx cloud.Writer) (*oidc.Error, error) {
		t, granted, err := refreshToken(tx, presented, s)
		if cloud.CodeOf(err) == cloud.CodeNotFound || err == nil && t.ClientID != client {
			return invalidGrant(), nil
		}
		if err != nil {
			return nil, err
		}
		if !t.UsedAt.IsZero() {
			return invalidGrant(), s.endFamily(ctx, tx, family{
				id: t.Family, user: t.UserID, client: client, scopes: granted, action: "token.refresh-reuse", actor: system,
			})
		}
		scopes, err := narrow(granted, asked)
		if err != nil {
			return refusedScope(err)
		}
		if refused, err := stillMayActFor(tx, t.UserID, granted); refused != nil || err != nil {
			return refused, err
		}
		err = tx.UseRefreshToken(presented.Hash(), s.Now())
		if cloud.CodeOf(err) == cloud.CodeNotFound { // its family ended just now
			return invalidGrant(), nil
		}
		if err != nil {
			return nil, err
		}
		g = grant{client: client, user: t.UserID, scopes: scopes, authTime: t.AuthTime, tokenID: id, refresh: next}
		return nil, s.complete(tx, &g, t.Family, granted)
	})
	switch {
	case cloud.CodeOf(err) == cloud.CodeConflict: // somebody was faster: now it comes again
		return s.refresh(ctx, client, presented, asked)
	case err != nil:
		return nil, err
	}
	return s.tokens(signer, g)
}

// refreshToken finds one and what was granted with it.
func refreshToken(tx cloud.Reader, presented cloud.Secret, s *Server) (t cloud.RefreshToken, granted []string, err error) {
	if t, err = tx.RefreshToken(presented.Hash(), s.Now()); err != nil {
		return t, nil, err
	}
	var p refreshParameters
	err = json.Unmarshal(t.Parameters, &p)
	return t, p.Scopes, err
}

func refusedScope(err error) (*oidc.Error, error) {
	var refused *oidc.Error
	if errors.As(err, &refused) {
		return refused, nil
	}
	return nil, err
}
