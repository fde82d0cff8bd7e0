package issuer

import (
	"context"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

// The bounds of a token's life.
const (
	MinTTL = time.Minute
	MaxTTL = 365 * 24 * time.Hour
)

// Issuer mints tokens with the keys in a store, and is the auth.KeySource for
// them. It is safe for concurrent use.
type Issuer struct {
	store cloud.Store
	now   func() time.Time
	newID func() cloud.ID

	keys keyCache
}

var _ auth.KeySource = (*Issuer)(nil)

// New returns the issuer of a store. newID makes the tokens' IDs (jti).
func New(store cloud.Store, now func() time.Time, newID func() cloud.ID) *Issuer {
	return &Issuer{store: store, now: now, newID: newID}
}

// Claims is what a token is to say.
type Claims struct {
	UserID         cloud.ID
	OrganizationID cloud.ID // the only organization that it opens; "" for no such boundary
	TTL            time.Duration
}

func (c Claims) check() error {
	if _, err := cloud.ParseID(string(c.UserID)); err != nil {
		return err
	}
	if c.OrganizationID != "" {
		if _, err := cloud.ParseID(string(c.OrganizationID)); err != nil {
			return err
		}
	}
	return c.CheckTTL()
}

// CheckTTL holds for the life of a token. CodeInvalid if it is out of bounds.
func (c Claims) CheckTTL() error {
	if c.TTL < MinTTL || c.TTL > MaxTTL {
		return cloud.Invalid("a token's life must be from %v to %v (365 days); got %v", MinTTL, MaxTTL, c.TTL)
	}
	return nil
}

// Mint makes a token, signed with the newest key, and says when it expires.
// CodeInvalid for claims out of bounds; CodeConflict if the store has no issuer
// URL or no key yet. The key is read anew each time, since a command beside a
// running server may have rotated it.
func (i *Issuer) Mint(ctx context.Context, c Claims) (cloud.Secret, time.Time, error) {
	if err := c.check(); err != nil {
		return cloud.Secret{}, time.Time{}, err
	}
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
		return cloud.Secret{}, time.Time{}, err
	}
	if len(plane.Issuers) == 0 {
		return cloud.Secret{}, time.Time{}, cloud.Conflict("this control plane has no URL yet, which its tokens must name; start it once")
	}
	signing, ok := newestSigning(keys)
	if !ok {
		return cloud.Secret{}, time.Time{}, cloud.Conflict("this control plane has no signing key yet; start it once")
	}
	private, err := parseKey(signing)
	if err != nil {
		return cloud.Secret{}, time.Time{}, err
	}

	issued := i.now().Truncate(time.Second) // the grain of a token's times
	expires := issued.Add(c.TTL).Truncate(time.Second)
	claims := auth.Claims{RegisteredClaims: jwt.RegisteredClaims{
		ID:        string(i.newID()),
		Issuer:    plane.Issuers[0],
		Subject:   string(c.UserID),
		Audience:  jwt.ClaimStrings{auth.Audience},
		IssuedAt:  jwt.NewNumericDate(issued),
		ExpiresAt: jwt.NewNumericDate(expires),
	}}
	if c.OrganizationID != "" {
		bound := string(c.OrganizationID)
		claims.OrganizationID = &bound
	}
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	token.Header["kid"] = signing.ID
	signed, err := token.SignedString(private)
	if err != nil {
		return cloud.Secret{}, time.Time{}, err
	}
	return cloud.NewSecret(signed), expires, nil
}
