package issuer

import (
	"context"
	"time"

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
	OrganizationID cloud.ID   // the only organization that it opens; "" for no such boundary
	MaxRole        cloud.Role // beyond which it opens nothing; "" for no such boundary
	Personal       bool       // it is a cloud.PersonalToken, and TokenID its id
	TokenID        cloud.ID   // its jti; "" for a fresh one
	ClientID       string     // of OAuth, to which it is given; "" for none
	Scope          string     // that OAuth grants, by spaces
	TTL            time.Duration
}

func (c Claims) check() error {
	if _, err := cloud.ParseID(string(c.UserID)); err != nil {
		return err
	}
	for _, id := range []cloud.ID{c.OrganizationID, c.TokenID} {
		if id == "" {
			continue
		}
		if _, err := cloud.ParseID(string(id)); err != nil {
			return err
		}
	}
	if c.MaxRole != "" {
		if _, err := cloud.ParseRole(string(c.MaxRole)); err != nil {
			return err
		}
	}
	if c.Personal && c.TokenID == "" {
		return cloud.Invalid("a personal token must have an id, by which it is revoked")
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

// Mint makes a token, signed with the newest key, and says when it expires. The
// errors are those of Signer, and CodeInvalid for claims out of bounds.
func (i *Issuer) Mint(ctx context.Context, c Claims) (cloud.Secret, time.Time, error) {
	if err := c.check(); err != nil {
		return cloud.Secret{}, time.Time{}, err
	}
	signer, err := i.Signer(ctx)
	if err != nil {
		return cloud.Secret{}, time.Time{}, err
	}
	return signer.Mint(c)
}
