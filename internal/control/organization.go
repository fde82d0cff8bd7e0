package control

import (
	"context"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Organizations lists the organizations to which the caller belongs, within
// the boundary of their token.
func (c *Control) Organizations(ctx context.Context, caller cloud.Caller, page cloud.Page) (Listing[cloud.Organization], error) {
	return read(ctx, c, func(tx cloud.Reader) (Listing[cloud.Organization], error) {
		return list(page, func(p cloud.Page) ([]cloud.Organization, error) {
			if boundary := caller.Boundary(); boundary != nil {
				return organizationsWithin(tx, caller, boundary, p)
			}
			return tx.OrganizationsOf(caller.UserID, p)
		}, func(o cloud.Organization) string { return string(o.ID) })
	})
}

func organizationsWithin(tx cloud.Reader, caller cloud.Caller, boundary []cloud.ID, page cloud.Page) ([]cloud.Organization, error) {
	var found []cloud.Organization
	for _, id := range boundary { // by id
		if string(id) <= page.After || page.Limit > 0 && len(found) == page.Limit {
			continue
		}
		_, err := tx.Member(id, caller.UserID)
		if cloud.CodeOf(err) == cloud.CodeNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		o, err := tx.Organization(id)
		if err != nil {
			return nil, err
		}
		found = append(found, o)
	}
	return found, nil
}

// CreateOrganization makes an organization. CodeInvalid for a name that is not
// a DNS label, CodeConflict for one that is taken.
func (o Operator) CreateOrganization(ctx context.Context, name, displayName string) (cloud.Organization, error) {
	if err := cloud.CheckName("the organization's name", name); err != nil {
		return cloud.Organization{}, err
	}
	if displayName == "" {
		displayName = name
	}
	created := cloud.Organization{ID: o.newID(), Name: name, DisplayName: displayName, CreatedAt: o.now()}
	err := o.store.Write(ctx, func(tx cloud.Writer) error {
		if err := tx.CreateOrganization(created); err != nil {
			return err
		}
		return o.audit(tx, change{action: "organization.create", target: string(created.ID), organization: created.ID, after: created})
	})
	return created, err
}

// EnsureOrganization returns the first organization, and makes one where there
// is none yet.
func (o Operator) EnsureOrganization(ctx context.Context, name, displayName string) (cloud.Organization, error) {
	first, err := read(ctx, o.Control, cloud.Reader.FirstOrganization)
	if cloud.CodeOf(err) != cloud.CodeNotFound {
		return first, err
	}
	return o.CreateOrganization(ctx, name, displayName)
}
