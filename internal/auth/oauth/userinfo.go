package oauth

import (
	"context"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
	"github.com/zitadel/oidc/v3/pkg/oidc"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

// verify returns who an access token of ours is for, and all that it says.
func (s *Server) verify(ctx context.Context, token string) (cloud.Principal, auth.Claims, error) {
	p, err := s.Verifier.Verify(ctx, token)
	if err != nil {
		return p, auth.Claims{}, err
	}
	var claims auth.Claims
	_, _, err = jwt.NewParser().ParseUnverified(token, &claims) // it is verified by now
	return p, claims, err
}

// userinfo says who an access token is for (OpenID Connect Core 1.0, 5.3).
func (s *Server) userinfo(ctx context.Context, token string) (*oidc.UserInfo, error) {
	p, claims, err := s.verify(ctx, token)
	if cloud.CodeOf(err) == cloud.CodeUnauthenticated {
		return nil, invalidToken()
	}
	if err != nil {
		return nil, err
	}
	return s.standingInfo(ctx, p, strings.Fields(claims.Scope))
}

// standingInfo is userInfo of whoever's token is not revoked.
func (s *Server) standingInfo(ctx context.Context, p cloud.Principal, scopes []string) (info *oidc.UserInfo, err error) {
	standing, err := s.Store.Standing(ctx, p.UserID)
	if cloud.CodeOf(err) == cloud.CodeNotFound || err == nil && slices.Contains(standing.RevokedTokens, p.TokenID) {
		return nil, invalidToken()
	}
	if err != nil {
		return nil, err
	}
	err = s.Store.Read(ctx, func(tx cloud.Reader) (err error) {
		info, err = userInfo(tx, p.UserID, scopes)
		return err
	})
	return info, err
}

// userInfo is what scopes tell of a user (OpenID Connect Core 1.0, 5.4).
func userInfo(tx cloud.Reader, user cloud.ID, scopes []string) (*oidc.UserInfo, error) {
	info := &oidc.UserInfo{Subject: string(user)}
	profile, email := slices.Contains(scopes, oidc.ScopeProfile), slices.Contains(scopes, oidc.ScopeEmail)
	if !profile && !email {
		return info, nil
	}
	u, err := tx.User(user)
	if err != nil {
		return nil, err
	}
	if profile {
		info.Name = u.Name
	}
	if email {
		identities, err := tx.Identities(user)
		if err != nil {
			return nil, err
		}
		info.Email = string(u.Email)
		info.EmailVerified = oidc.Bool(slices.ContainsFunc(identities, func(i cloud.Identity) bool { return i.Email.Key() == u.Email.Key() }))
	}
	return info, nil
}
