package control

import (
	"context"
	"slices"
	"strings"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Offer is an invitation as whoever it is for gets to see it.
type Offer struct {
	cloud.Invitation
	Organization cloud.Organization
	Inviter      cloud.User // zero for one whose account is gone
}

// InvitationByToken finds what the link of an invitation offers, for whoever
// holds the link. cloud.ErrNoInvitation for one that is good no more, for
// whatever reason.
func (c *Control) InvitationByToken(ctx context.Context, token cloud.Secret) (Offer, error) {
	return read(ctx, c, func(tx cloud.Reader) (Offer, error) {
		i, err := c.invitationByToken(tx, token)
		if err != nil {
			return Offer{}, err
		}
		return offer(tx, i)
	})
}

func (c *Control) invitationByToken(tx cloud.Reader, token cloud.Secret) (cloud.Invitation, error) {
	plane, err := tx.Plane()
	if err != nil {
		return cloud.Invitation{}, err
	}
	id, generation, err := cloud.ParseInvitationToken(plane.MailKey, token)
	if err != nil {
		return cloud.Invitation{}, err
	}
	i, err := tx.InvitationByID(id, c.now())
	if cloud.CodeOf(err) == cloud.CodeNotFound || err == nil && i.Generation != generation {
		return i, cloud.ErrNoInvitation
	}
	return i, err
}

func offer(tx cloud.Reader, i cloud.Invitation) (o Offer, err error) {
	o.Invitation = i
	if o.Organization, err = tx.Organization(i.OrganizationID); err != nil {
		return o, err
	}
	o.Inviter, err = tx.User(i.InvitedBy)
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		return o, nil
	}
	return o, err
}

// OwnInvitations lists the pending invitations to the addresses that the
// caller's identities vouch for, within the boundary of their token.
func (c *Control) OwnInvitations(ctx context.Context, caller cloud.Caller, page cloud.Page) (Listing[Offer], error) {
	return read(ctx, c, func(tx cloud.Reader) (Listing[Offer], error) {
		invitations, err := c.invitationsTo(tx, caller)
		if err != nil {
			return Listing[Offer]{}, err
		}
		return list(page, func(p cloud.Page) (offers []Offer, err error) {
			for _, i := range invitations {
				if string(i.ID) <= p.After || p.Limit > 0 && len(offers) == p.Limit {
					continue
				}
				o, err := offer(tx, i)
				if err != nil {
					return nil, err
				}
				offers = append(offers, o)
			}
			return offers, nil
		}, func(o Offer) string { return string(o.ID) })
	})
}

func (c *Control) invitationsTo(tx cloud.Reader, caller cloud.Caller) ([]cloud.Invitation, error) {
	addresses, err := addressesOf(tx, caller.UserID)
	if err != nil || len(addresses) == 0 {
		return nil, err
	}
	invitations, err := tx.InvitationsTo(addresses, c.now())
	if bound := caller.Principal.OrganizationID; bound != "" {
		invitations = slices.DeleteFunc(invitations, func(i cloud.Invitation) bool { return i.OrganizationID != bound })
	}
	return invitations, err
}

// addressesOf lists the addresses that somebody's identities vouch for, each
// once. The address of the account is not among them for its own sake.
func addressesOf(tx cloud.Reader, user cloud.ID) (addresses []cloud.Email, err error) {
	identities, err := tx.Identities(user)
	if err != nil {
		return nil, err
	}
	for _, i := range identities {
		if !owns(addresses, i.Email) {
			addresses = append(addresses, i.Email)
		}
	}
	return addresses, nil
}

func owns(addresses []cloud.Email, email cloud.Email) bool {
	return slices.ContainsFunc(addresses, func(a cloud.Email) bool { return a.Key() == email.Key() })
}

// WhichInvitation names an invitation that somebody accepts: by the token in its
// link, or by its id.
type WhichInvitation struct {
	Token cloud.Secret // zero for none
	ID    string       // of one that OwnInvitations lists; "" for none
}

// Joined is what came of an acceptance.
type Joined struct {
	Organization cloud.Organization
	Role         cloud.Role
}

// AcceptInvitation makes the caller a member, with the role that they were
// offered. All that it depends on is checked in the transaction that does it:
// that the invitation is pending, that the link is the latest one, and that one
// of the caller's identities vouches for the address that was invited.
//
// The refusals: CodeInvalid unless one of token and id is given; CodeNotFound
// for an invitation that is not, or no more, or whose id is not for the caller;
// CodeForbidden for somebody else's link, and for an organization that is
// suspended; CodeConflict for a member.
func (c *Control) AcceptInvitation(ctx context.Context, caller cloud.Caller, key string, which WhichInvitation) (Joined, error) {
	if (which.Token.Reveal() == "") == (which.ID == "") {
		return Joined{}, cloud.Invalid("give the token of the invitation's link, or the id of one that GET /user/invitations lists, and not both")
	}
	input := []any{string(which.Token.Hash()), which.ID} // as text: a hash hides itself too
	return once(ctx, c, caller, cloud.ActionAcceptInvitation, key, input, func(tx cloud.Writer) (Joined, error) {
		i, err := c.invitationFor(tx, caller, which)
		if err != nil {
			return Joined{}, err
		}
		return c.join(tx, caller, i)
	})
}

// invitationFor finds an invitation that the caller may accept.
func (c *Control) invitationFor(tx cloud.Reader, caller cloud.Caller, which WhichInvitation) (cloud.Invitation, error) {
	if which.ID != "" {
		return c.ownInvitation(tx, caller, which.ID)
	}
	i, err := c.invitationByToken(tx, which.Token)
	if err != nil {
		return i, err
	}
	addresses, err := addressesOf(tx, caller.UserID)
	if err == nil && !owns(addresses, i.Email) {
		err = cloud.Forbidden("this invitation is for %s, which is no address that you have signed in with; sign in with that one, "+
			"or add it to your account, or ask for an invitation to one that you have", i.Email.Masked())
	}
	return i, err
}

func (c *Control) ownInvitation(tx cloud.Reader, caller cloud.Caller, id string) (cloud.Invitation, error) {
	own, err := c.invitationsTo(tx, caller)
	if err != nil {
		return cloud.Invitation{}, err
	}
	at := slices.IndexFunc(own, func(i cloud.Invitation) bool { return strings.EqualFold(string(i.ID), id) })
	if at < 0 {
		return cloud.Invitation{}, cloud.NotFound("you have no pending invitation of that id; GET /user/invitations lists yours")
	}
	return own[at], nil
}

// join takes the invitation and makes the caller a member. The organization's
// row is locked first, as by all that change its members and invitations.
func (c *Control) join(tx cloud.Writer, caller cloud.Caller, i cloud.Invitation) (Joined, error) {
	joined := Joined{Role: i.Role}
	if err := tx.LockOrganization(i.OrganizationID); err != nil {
		return joined, err
	}
	var err error
	if joined.Organization, err = tx.Organization(i.OrganizationID); err != nil {
		return joined, err
	}
	caller.Relation = cloud.Relation{OrganizationID: i.OrganizationID, Suspended: !joined.Organization.SuspendedAt.IsZero()}
	if err := caller.Suspended(); err != nil {
		return joined, err
	}
	if err := refuseMembership(tx, i.OrganizationID, caller.UserID, "you are"); err != nil {
		return joined, err
	}
	taken, err := tx.TakeInvitation(i.ID, i.Generation, c.now())
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		return joined, cloud.ErrNoInvitation
	}
	if err != nil {
		return joined, err
	}
	joined.Role = taken.Role
	member := cloud.Member{OrganizationID: taken.OrganizationID, User: caller.User, Role: taken.Role, JoinedAt: c.now()}
	if err := tx.AddMember(member); err != nil {
		return joined, err
	}
	return joined, c.auditCaller(tx, caller, change{
		action: "invitation.accept", target: string(taken.ID), organization: taken.OrganizationID, before: offerOf(taken), after: roleOf(member),
	})
}
