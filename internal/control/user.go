package control

import (
	"context"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Account is a user with their relations.
type Account struct {
	User      cloud.User
	Relations []cloud.Relation
}

// Account returns the caller's own account, within the boundary of their token.
func (c *Control) Account(ctx context.Context, caller cloud.Caller) (Account, error) {
	standing, err := c.store.Standing(ctx, caller.UserID)
	if err != nil {
		return Account{}, err
	}
	return Account{User: standing.User, Relations: caller.Within(standing.Relations)}, nil
}
