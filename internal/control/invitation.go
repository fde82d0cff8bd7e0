package control

import (
	"context"
	"time"

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
// member or has a pending invitation, or gets too many, and if
// cloud.MaxInvitations are pending.
func (c *Control) CreateInvitation(ctx context.Context, caller cloud.Caller, key string, in NewInvitation) (SentInvitation, error) {
	email, err := cloud.ParseEmail(in.Email)
	if err != nil {
		return SentInvitation{}, err
	}
	if email.IsService() {
		return SentInvitation{}, cloud.Invalid("%s is the address of a service account; those belong to one organization, and nobody reads their mail", email)
	}
	role, err := cloud.ParseInvitationRole(in.Role)
	if err != nil {
		return SentInvitation{}, err
	}
	return c.inviting(ctx, func() (cloud.Invitation, error) {
		return once(ctx, c, caller, cloud.ActionManageInvitations, key, in, func(tx cloud.Writer) (cloud.Invitation, error) {
			now := c.now()
			invitation := cloud.Invitation{
				ID: c.newID(), OrganizationID: caller.Relation.OrganizationID, Email: email, Role: role,
				InvitedBy: caller.UserID, CreatedAt: now, ExpiresAt: now.Add(cloud.InvitationTTL), Generation: 1,
			}
			if err := refuseMember(tx, invitation); err != nil {
				return invitation, err
			}
			had, err := tx.CountInvitations(invitation.OrganizationID, now)
			if err := checkRoom(had, err, c.bounds.Invitations, tooManyInvitations); err != nil {
				return invitation, err
			}
			if err := tx.CreateInvitation(invitation); err != nil {
				return invitation, err
			}
			if err := c.mailInvitation(tx, caller, &invitation, now); err != nil {
				return invitation, err
			}
			return invitation, c.auditCaller(tx, caller, change{
				action: "invitation.create", target: string(invitation.ID), organization: invitation.OrganizationID, after: offerOf(invitation),
			})
		})
	})
}

const tooManyInvitations = "%d invitations of this organization are pending, which is as many as there may be; take back those that nobody will accept: GET /invitations lists them"

// ResendInvitation renews a pending invitation: it has another link, which alone
// is good from now on, and its time begins again. CodeNotFound if there is none
// of that id.
func (c *Control) ResendInvitation(ctx context.Context, caller cloud.Caller, key, invitation string) (SentInvitation, error) {
	id, err := cloud.ParseID(invitation)
	if err != nil {
		return SentInvitation{}, errNoInvitation
	}
	return c.inviting(ctx, func() (cloud.Invitation, error) {
		return once(ctx, c, caller, cloud.ActionManageInvitations, key, []any{"resend", id}, func(tx cloud.Writer) (cloud.Invitation, error) {
			now, organization := c.now(), caller.Relation.OrganizationID
			before, err := pendingInvitation(tx, organization, id, now)
			if err != nil {
				return before, err
			}
			renewed, err := tx.RenewInvitation(organization, id, now, now.Add(cloud.InvitationTTL))
			if err != nil {
				return renewed, err
			}
			renewed.Mail, renewed.MailError = "", ""
			if err := c.mailInvitation(tx, caller, &renewed, now); err != nil {
				return renewed, err
			}
			return renewed, c.auditCaller(tx, caller, change{
				action: "invitation.resend", target: string(id), organization: organization, before: offerOf(before), after: offerOf(renewed),
			})
		})
	})
}

// SentInvitation is an invitation that was just made or renewed.
type SentInvitation struct {
	cloud.Invitation
	Link string // to its page, where nobody mails it; else ""
}

// inviting runs what makes or renews an invitation, and sees to it that it gets
// there. Its link is made of what is kept of it, and so nobody keeps the link: a
// repeated request gets it all the same.
func (c *Control) inviting(ctx context.Context, invite func() (cloud.Invitation, error)) (sent SentInvitation, err error) {
	var key cloud.Secret
	links := c.mailed == nil && c.link != nil
	if links { // read first: nothing may fail once it is made
		if key, err = c.mailKey(ctx); err != nil {
			return sent, err
		}
	}
	if sent.Invitation, err = invite(); err != nil {
		return sent, err
	}
	if c.mailed != nil {
		c.mailed()
	}
	if links {
		sent.Link = c.link(cloud.InvitationToken(key, sent.ID, sent.Generation))
	}
	return sent, nil
}

func (c *Control) mailKey(ctx context.Context) (cloud.Secret, error) {
	plane, err := read(ctx, c, cloud.Reader.Plane)
	return plane.MailKey, err
}

// Mails of invitations to one address, of all organizations, and of one sender:
// nobody is to be flooded by somebody who invites them time and again, and whoever
// finds an organization of their own is not to write to the whole world.
const (
	maxInvitationMails = 10
	maxSentInvitations = 200
	invitationMailSpan = 24 * time.Hour
)

// mailInvitation has the link of an invitation mailed, where mail is sent.
func (c *Control) mailInvitation(tx cloud.Writer, caller cloud.Caller, i *cloud.Invitation, now time.Time) error {
	if c.mailed == nil {
		return nil
	}
	if err := mayInvite(tx, caller.UserID, i.Email, now); err != nil {
		return err
	}
	i.Mail = cloud.MailPending
	return tx.EnqueueMail(cloud.Mail{
		ID: c.newID(), Kind: cloud.MailInvitation, Sender: caller.UserID, Recipient: i.Email, Reference: string(i.ID), Generation: i.Generation,
		CreatedAt: now, ExpiresAt: i.ExpiresAt, DueAt: now, State: cloud.MailPending,
	})
}

// mayInvite finds out, under locks, whether a mail more is not too many.
func mayInvite(tx cloud.Writer, sender cloud.ID, to cloud.Email, now time.Time) error {
	if err := tx.LockUser(sender); err != nil {
		return err
	}
	sent, err := tx.CountMailsBy(sender, now.Add(-invitationMailSpan))
	if err != nil {
		return err
	}
	if sent >= maxSentInvitations {
		return cloud.Conflict("you had %d invitations mailed within a day, which is as many as one may; try again tomorrow, or let another admin invite", sent)
	}
	if err := tx.HoldRecipient(to, now); err != nil {
		return err
	}
	got, err := tx.CountMails(cloud.MailInvitation, to, now.Add(-invitationMailSpan))
	if err != nil {
		return err
	}
	if got >= maxInvitationMails {
		return cloud.Conflict("%s got %d invitations by mail within a day; try again tomorrow", to, got)
	}
	return nil
}

func refuseMember(tx cloud.Reader, i cloud.Invitation) error {
	user, err := tx.UserByEmail(i.Email)
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return refuseMembership(tx, i.OrganizationID, user.ID, string(i.Email)+" is")
}

// refuseMembership refuses somebody, who is called so, if they are a member.
func refuseMembership(tx cloud.Reader, organization, user cloud.ID, somebodyIs string) error {
	_, err := tx.Member(organization, user)
	switch {
	case cloud.CodeOf(err) == cloud.CodeNotFound:
		return nil
	case err != nil:
		return err
	default:
		return cloud.Conflict("%s a member of this organization already", somebodyIs)
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
		taken, err := pendingInvitation(tx, organization, id, c.now())
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

func pendingInvitation(tx cloud.Reader, organization, id cloud.ID, now time.Time) (cloud.Invitation, error) {
	i, err := tx.Invitation(organization, id, now)
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		return i, errNoInvitation
	}
	return i, err
}

var errNoInvitation = cloud.NotFound("this organization has no pending invitation of that id; GET /invitations lists them")

func offerOf(i cloud.Invitation) map[string]any {
	return map[string]any{"email": i.Email, "role": i.Role, "expires_at": i.ExpiresAt}
}
