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
	relations := standing.Relations
	if bound := caller.Principal.OrganizationID; bound != "" {
		relations = nil
		for _, r := range standing.Relations {
			if r.OrganizationID == bound {
				relations = append(relations, r)
			}
		}
	}
	return Account{User: standing.User, Relations: relations}, nil
}
