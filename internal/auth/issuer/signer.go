package issuer

import (
	"context"
	"encoding/json"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Signer signs in the issuer's name, with the newest key as of one reading. It
// asks nobody, so that what is decided in a transaction can be signed after it.
type Signer struct {
	Issuer string // its URL, the "iss" of what is signed

	signer jose.Signer
	now    func() time.Time
	newID  func() cloud.ID
}

// Signer reads the issuer's URL and newest key. The key is read anew each time,
// since a command beside a running server may have rotated it. CodeConflict if
// the store has none of either yet.
func (i *Issuer) Signer(ctx context.Context) (*Signer, error) {
	var plane cloud.Plane
	var keys []cloud.SigningKey
	err := i.store.Read(ctx, func(r cloud.Reader) (err error) {
		if plane, err = r.Plane(); err != nil {
			return err
		}
		keys, err = r.SigningKeys()
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(plane.Issuers) == 0 {
		return nil, cloud.Conflict("this control plane has no URL yet, which its tokens must name; start it once")
	}
	newest, ok := newestSigning(keys)
	if !ok {
		return nil, cloud.Conflict("this control plane has no signing key yet; start it once")
	}
	private, err := parseKey(newest)
	if err != nil {
		return nil, err
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: private, KeyID: newest.ID}},
		(&jose.SignerOptions{}).WithType("JWT"),
	)
	if err != nil {
		return nil, err
	}
	return &Signer{Issuer: plane.Issuers[0], signer: signer, now: i.now, newID: i.newID}, nil
}

// Mint is Issuer.Mint with the signer's key.
func (s *Signer) Mint(c Claims) (cloud.Secret, time.Time, error) {
	if err := c.check(); err != nil {
		return cloud.Secret{}, time.Time{}, err
	}
	if c.TokenID == "" {
		c.TokenID = s.newID()
	}
	issued := s.now().Truncate(time.Second) // the grain of a token's times
	expires := issued.Add(c.TTL).Truncate(time.Second)
	claims := auth.Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			ID:        string(c.TokenID),
			Issuer:    s.Issuer,
			Subject:   string(c.UserID),
			Audience:  jwt.ClaimStrings{auth.Audience},
			IssuedAt:  jwt.NewNumericDate(issued),
			ExpiresAt: jwt.NewNumericDate(expires),
		},
		OrganizationID: orNil(string(c.OrganizationID)),
		MaxRole:        orNil(string(c.MaxRole)),
		Personal:       c.Personal,
		ClientID:       c.ClientID,
		Scope:          c.Scope,
	}
	signed, err := s.Sign(claims)
	return signed, expires, err
}

// Sign makes a JWT of claims that are not for our APIs: their audience must be
// another than theirs.
func (s *Signer) Sign(claims any) (cloud.Secret, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return cloud.Secret{}, err
	}
	signed, err := s.signer.Sign(payload)
	if err != nil {
		return cloud.Secret{}, err
	}
	token, err := signed.CompactSerialize()
	return cloud.NewSecret(token), err
}

func orNil(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
