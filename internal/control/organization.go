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

// FoundOrganization makes an organization of which the caller is the admin. Its
// unique name is made from what people call it. CodeInvalid for a display name
// that is none, CodeConflict for who made too many.
func (c *Control) FoundOrganization(ctx context.Context, caller cloud.Caller, key, displayName string) (cloud.Organization, error) {
	if err := cloud.CheckTitle("display_name", displayName); err != nil {
		return cloud.Organization{}, err
	}
	return once(ctx, c, caller, cloud.ActionFoundOrganization, key, displayName, func(tx cloud.Writer) (cloud.Organization, error) {
		if err := c.checkFounder(tx, caller.UserID); err != nil {
			return cloud.Organization{}, err
		}
		made, err := createNamed(tx, cloud.Organization{ID: c.newID(), DisplayName: displayName, CreatedAt: c.now(), FoundedBy: caller.UserID})
		if err != nil {
			return made, err
		}
		founder := cloud.Member{OrganizationID: made.ID, User: caller.User, Role: cloud.RoleAdmin, JoinedAt: made.CreatedAt}
		if err := tx.AddMember(founder); err != nil {
			return made, err
		}
		return made, c.auditCaller(tx, caller, change{
			action: "organization.create", target: string(made.ID), organization: made.ID, after: namesOf(made),
		})
	})
}

// checkFounder refuses somebody who made as many organizations as they may, also
// if they left them: or they could make one after another.
func (c *Control) checkFounder(tx cloud.Writer, user cloud.ID) error {
	if err := tx.LockUser(user); err != nil {
		return err
	}
	founded, err := tx.CountFounded(user)
	return checkRoom(founded, err, c.bounds.Organizations, "you made %d organizations, which is as many as one may; the operator of this cloud can make more")
}

// createNamed makes an organization under the first name for it that is free.
func createNamed(tx cloud.Writer, o cloud.Organization) (cloud.Organization, error) {
	for name := range namesFor(o) {
		o.Name = name
		if err := tx.CreateOrganization(o); cloud.CodeOf(err) != cloud.CodeConflict {
			return o, err
		}
	}
	return o, cloud.Conflict("the names for %q are taken; choose another display_name", o.DisplayName)
}

// UpdateOrganization changes what people call the caller's organization. Its
// unique name stays. CodeInvalid for a display name that is none.
func (c *Control) UpdateOrganization(ctx context.Context, caller cloud.Caller, displayName string) (cloud.Organization, error) {
	if err := cloud.CheckTitle("display_name", displayName); err != nil {
		return cloud.Organization{}, err
	}
	return changing(ctx, c, caller, cloud.ActionManageOrganization, func(tx cloud.Writer) (cloud.Organization, error) {
		before, err := tx.Organization(caller.Relation.OrganizationID)
		if err != nil || before.DisplayName == displayName {
			return before, err
		}
		after := before
		after.DisplayName = displayName
		if err := tx.UpdateOrganization(after.ID, displayName); err != nil {
			return after, err
		}
		return after, c.auditCaller(tx, caller, change{
			action: "organization.update", target: string(after.ID), organization: after.ID,
			before: namesOf(before), after: namesOf(after),
		})
	})
}

// LeaveOrganization ends the caller's own membership. CodeConflict for the last
// admin.
func (c *Control) LeaveOrganization(ctx context.Context, caller cloud.Caller) error {
	return c.changeAs(ctx, caller, cloud.ActionLeaveOrganization, func(tx cloud.Writer) error {
		member, err := tx.Member(caller.Relation.OrganizationID, caller.UserID)
		if err != nil {
			return err
		}
		return c.endMembership(tx, caller, member, "member.leave")
	})
}

func namesOf(o cloud.Organization) map[string]any {
	return map[string]any{"name": o.Name, "display_name": o.DisplayName}
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
