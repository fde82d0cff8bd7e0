package issuer

import (
	"context"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// MintPersonal makes the JWT of a personal token, and says when it expires: at
// the token's end, or within a second of it. The errors are Mint's.
func (i *Issuer) MintPersonal(ctx context.Context, t cloud.PersonalToken) (cloud.Secret, time.Time, error) {
	return i.Mint(ctx, Claims{
		UserID: t.UserID, OrganizationID: t.OrganizationID, MaxRole: t.MaxRole, Personal: true, TokenID: t.ID,
		TTL: t.ExpiresAt.Sub(t.CreatedAt.Truncate(time.Second)),
	})
}
