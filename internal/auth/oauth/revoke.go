package oauth

import (
	"context"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// revoke makes a client's token useless (RFC 7009): an access token alone, a
// refresh token with all of its family. What is none, or none any more, is no
// error, and neither is another client's, which stays as it is.
func (s *Server) revoke(ctx context.Context, client string, token cloud.Secret) error {
	refresh := false
	err := s.Store.Write(ctx, func(tx cloud.Writer) error {
		refresh = false
		t, granted, err := refreshToken(tx, token, s)
		if cloud.CodeOf(err) == cloud.CodeNotFound {
			return nil
		}
		if err != nil {
			return err
		}
		refresh = true
		if t.ClientID != client {
			return nil
		}
		return s.endFamily(ctx, tx, family{
			id: t.Family, user: t.UserID, client: client, scopes: granted, action: "token.revoke", actor: actor(t.UserID),
		})
	})
	if err != nil || refresh {
		return err
	}
	return s.revokeAccess(ctx, client, token)
}

func (s *Server) revokeAccess(ctx context.Context, client string, token cloud.Secret) error {
	p, claims, err := s.verify(ctx, token.Reveal())
	if cloud.CodeOf(err) == cloud.CodeUnauthenticated {
		return nil
	}
	if err != nil {
		return err
	}
	if claims.ClientID != client || p.TokenID == "" {
		return nil
	}
	return s.Store.Write(ctx, func(tx cloud.Writer) error {
		return s.revokeToken(tx, p.UserID, p.TokenID, claims.ExpiresAt.Time)
	})
}
