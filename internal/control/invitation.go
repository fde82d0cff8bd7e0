package control

import (
	"context"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// NewInvitation is the input of CreateInvitation, as the caller wrote it.
type NewInvitation struct{ Email, Role string }

// Invitations lists the pending invitations of the caller's organization.
func (c *Control) Invitations(ctx context.Context, caller cloud.Caller, page cloud.Page) (Listing[cloud.Invitation], error) {
	return read(ctx, c, func(tx cloud.Reader) (Listing[cloud.Invitation], error) {
		return list(page, func(p cloud.Page) ([]cloud.Invitation, error) {
			return tx.Invitations(caller.Relation.OrganizationID, c.now(), p)
		}, func(i cloud.Invitation) string { return string(i.ID) })
	})
}

// CreateInvitation invites an address into the caller's organization.
// CodeInvalid for a wrong address or role; CodeConflict for somebody who is a
// member or has a pending invitation.
func (c *Control) CreateInvitation(ctx context.Context, caller cloud.Caller, key string, in NewInvitation) (cloud.Invitation, error) {
	email, err := cloud.ParseEmail(in.Email)
	if err != nil {
		return cloud.Invitation{}, err
	}
	role, err := cloud.ParseInvitationRole(in.Role)
	if err != nil {
		return cloud.Invitation{}, err
	}
	return once(ctx, c, caller, cloud.ActionManageInvitations, key, in, func(tx cloud.Writer) (cloud.Invitation, error) {
		now := c.now()
		invitation := cloud.Invitation{
			ID: c.newID(), OrganizationID: caller.Relation.OrganizationID, Email: email, Role: role,
			InvitedBy: caller.UserID, CreatedAt: now, ExpiresAt: now.Add(cloud.InvitationTTL),
		}
		if err := refuseMember(tx, invitation); err != nil {
			return invitation, err
		}
		if err := tx.CreateInvitation(invitation); err != nil {
			return invitation, err
		}
		return invitation, c.auditCaller(tx, caller, change{
			action: "invitation.create", target: string(invitation.ID), organization: invitation.OrganizationID, after: offerOf(invitation),
		})
	})
}

func refuseMember(tx cloud.Reader, i cloud.Invitation) error {
	user, err := tx.UserByEmail(i.Email)
	if err == nil {
		_, err = tx.Member(i.OrganizationID, user.ID)
	}
	switch {
	case cloud.CodeOf(err) == cloud.CodeNotFound:
		return nil
	case err != nil:
		return err
	default:
		return cloud.Conflict("%s is a member of this organization already", i.Email)
	}
}

// DeleteInvitation takes a pending invitation back; CodeNotFound if there is
// none of that id.
func (c *Control) DeleteInvitation(ctx context.Context, caller cloud.Caller, invitation string) error {
	id, err := cloud.ParseID(invitation)
	if err != nil {
		return errNoInvitation
	}
	return c.changeAs(ctx, caller, cloud.ActionManageInvitations, func(tx cloud.Writer) error {
		organization := caller.Relation.OrganizationID
		taken, err := tx.Invitation(organization, id, c.now())
		if cloud.CodeOf(err) == cloud.CodeNotFound {
			return errNoInvitation
		}
		if err != nil {
			return err
		}
		if err := tx.DeleteInvitation(organization, id); err != nil {
			return err
		}
		return c.auditCaller(tx, caller, change{
			action: "invitation.delete", target: string(id), organization: organization, before: offerOf(taken),
		})
	})
}

var errNoInvitation = cloud.NotFound("this organization has no pending invitation of that id; GET /invitations lists them")

func offerOf(i cloud.Invitation) map[string]any {
	return map[string]any{"email": i.Email, "role": i.Role, "expires_at": i.ExpiresAt}
}
