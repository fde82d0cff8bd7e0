package oauth

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"

	"github.com/penstock-cloud/penstock/internal/auth/issuer"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

// grant is what a client gets tokens for.
//
// All tokens that come of one sign-in are a family. Its id is also the id of the
// first access token, so that this one can be revoked where there was never a
// refresh token.
type grant struct {
	client   string
	user     cloud.ID
	scopes   []string
	nonce    string
	authTime time.Time
	tokenID  cloud.ID
	refresh  cloud.Secret   // the zero Secret for none
	info     *oidc.UserInfo // for an ID token
}

// expiresIn is the life of access tokens in seconds.
const expiresIn = uint64(cloud.AccessTokenTTL / time.Second)

// tokens makes what a grant's client gets (RFC 6749, 5.1; OpenID Connect Core
// 1.0, 3.1.3.3).
func (s *Server) tokens(signer *issuer.Signer, g grant) (*oidc.AccessTokenResponse, error) {
	access, _, err := signer.Mint(issuer.Claims{
		UserID: g.user, OrganizationID: organizationOf(g.scopes), TokenID: g.tokenID,
		ClientID: g.client, Scope: strings.Join(g.scopes, " "), TTL: cloud.AccessTokenTTL,
	})
	if err != nil {
		return nil, err
	}
	response := &oidc.AccessTokenResponse{
		AccessToken: access.Reveal(), RefreshToken: g.refresh.Reveal(), TokenType: oidc.BearerToken,
		ExpiresIn: expiresIn, Scope: g.scopes,
	}
	if slices.Contains(g.scopes, oidc.ScopeOpenID) {
		response.IDToken, err = s.idToken(signer, g, response.AccessToken)
	}
	return response, err
}

// idToken says to the client who signed in. It is no access token: its audience
// is the client.
func (s *Server) idToken(signer *issuer.Signer, g grant, access string) (string, error) {
	hash, err := oidc.ClaimHash(access, jose.RS256)
	if err != nil {
		return "", err
	}
	now := s.Now()
	claims := &oidc.IDTokenClaims{
		TokenClaims: oidc.TokenClaims{
			Issuer: signer.Issuer, Audience: oidc.Audience{g.client}, AuthorizedParty: g.client, Nonce: g.nonce,
			IssuedAt: oidc.FromTime(now), Expiration: oidc.FromTime(now.Add(cloud.AccessTokenTTL)), AuthTime: oidc.FromTime(g.authTime),
		},
		AccessTokenHash: hash,
	}
	claims.SetUserInfo(g.info)
	token, err := signer.Sign(claims)
	return token.Reveal(), err
}

// refreshParameters are what a refresh token keeps of the client's request.
type refreshParameters struct {
	Scopes []string `json:"scopes"`
}

// complete makes a grant the first of a family, or its next one.
func (s *Server) complete(tx cloud.Writer, g *grant, family cloud.ID, granted []string) (err error) {
	if g.info, err = userInfo(tx, g.user, g.scopes); err != nil {
		return err
	}
	if !hasRefresh(granted) {
		return nil
	}
	text, err := json.Marshal(refreshParameters{Scopes: granted})
	if err != nil {
		return err
	}
	now := s.Now()
	return tx.CreateRefreshToken(cloud.RefreshToken{
		Hash: g.refresh.Hash(), Family: family, UserID: g.user, ClientID: g.client, Parameters: text,
		TokenID: string(g.tokenID), TokenEnd: now.Add(cloud.AccessTokenTTL), AuthTime: g.authTime,
		CreatedAt: now, ExpiresAt: now.Add(cloud.RefreshTokenTTL),
	})
}

var (
	errNoPerson = cloud.Forbidden("only people sign in; programs get tokens with their own secret")
	errForeign  = cloud.Forbidden("you do not belong to the organization that the program asks for")
)

func isForeign(err error) bool { return err == errForeign } //nolint:errorlint // ours, and never wrapped

// mayActFor refuses scopes that the person cannot grant.
func mayActFor(tx cloud.Reader, user cloud.ID, scopes []string) error {
	u, err := tx.User(user)
	if cloud.CodeOf(err) == cloud.CodeNotFound || err == nil && u.Kind != cloud.Person {
		return errNoPerson
	}
	if err != nil {
		return err
	}
	organization := organizationOf(scopes)
	if organization == "" {
		return nil
	}
	_, err = tx.Member(organization, user)
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		return errForeign
	}
	return err
}

// stillMayActFor is mayActFor for who agreed before; a refusal is the client's to
// read.
func stillMayActFor(tx cloud.Reader, user cloud.ID, scopes []string) (*oidc.Error, error) {
	err := mayActFor(tx, user, scopes)
	if cloud.CodeOf(err) == cloud.CodeForbidden {
		return oidc.ErrInvalidGrant().WithDescription("the person's account or membership is gone"), nil
	}
	return nil, err
}

// endFamily makes all tokens of a family useless, and notes that.
func (s *Server) endFamily(ctx context.Context, tx cloud.Writer, f family) error {
	tokens, err := tx.DeleteRefreshTokens(f.id)
	if err != nil {
		return err
	}
	ends := map[string]time.Time{string(f.id): s.Now().Add(cloud.AccessTokenTTL)} // or before that
	for _, t := range tokens {
		ends[t.TokenID] = t.TokenEnd
	}
	for _, id := range slices.Sorted(maps.Keys(ends)) {
		if err := s.revokeToken(tx, f.user, id, ends[id]); err != nil {
			return err
		}
	}
	return s.audit(ctx, tx, f)
}

// revokeToken makes an access token useless for as long as it would be believed.
func (s *Server) revokeToken(tx cloud.Writer, user cloud.ID, id string, end time.Time) error {
	revoked := cloud.Revoked(user, id, end)
	if revoked.Over(s.Now()) {
		return nil
	}
	return tx.RevokeToken(revoked)
}

// family is one whose end is noted in the audit.
type family struct {
	id     cloud.ID
	user   cloud.ID
	client string
	scopes []string
	action string // of the audit
	actor  cloud.Actor
}

func (s *Server) audit(ctx context.Context, tx cloud.Writer, f family) error {
	before, err := json.Marshal(struct {
		Client string   `json:"client"`
		Family cloud.ID `json:"family,omitempty"`
		Scopes []string `json:"scopes,omitempty"`
	}{f.client, f.id, f.scopes})
	if err != nil {
		return err
	}
	return tx.AppendAudit(cloud.AuditEntry{
		ID: s.NewID(), At: s.Now(), OrganizationID: organizationOf(f.scopes), Actor: f.actor,
		Action: f.action, Target: string(f.user), Before: string(before), Origin: originOf(ctx),
	})
}

// actor is a person, where they did it themselves.
func actor(user cloud.ID) cloud.Actor { return cloud.Actor{Kind: cloud.ActorUser, ID: string(user)} }

// system is the program, where nobody knows who else it was.
var system = cloud.Actor{Kind: cloud.ActorSystem, ID: "penstock"}
