package control

import (
	"context"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// NewPersonalToken is the input of CreatePersonalToken, as the caller wrote it.
type NewPersonalToken struct {
	Name           string
	OrganizationID string    // "" for the one that the caller's own token opens, or their only one
	MaxRole        string    // "" for none
	ExpiresAt      time.Time // zero if ExpiresInDays says it
	ExpiresInDays  int
}

// PersonalTokens lists the caller's own, within the boundary of their token.
func (c *Control) PersonalTokens(ctx context.Context, caller cloud.Caller, page cloud.Page) (Listing[cloud.PersonalToken], error) {
	return read(ctx, c, func(tx cloud.Reader) (Listing[cloud.PersonalToken], error) {
		return list(page, func(p cloud.Page) ([]cloud.PersonalToken, error) {
			if caller.Principal.OrganizationID == "" {
				return tx.PersonalTokens(caller.UserID, c.now(), p)
			}
			return boundTokens(tx, caller, c.now(), p)
		}, func(t cloud.PersonalToken) string { return string(t.ID) })
	})
}

// boundTokens is a page of those that open the organization to which the caller's
// token is bound. There are few enough to read them all.
func boundTokens(tx cloud.Reader, caller cloud.Caller, now time.Time, page cloud.Page) (bound []cloud.PersonalToken, err error) {
	all, err := tx.PersonalTokens(caller.UserID, now, cloud.Page{After: page.After})
	for _, t := range all {
		if t.OrganizationID == caller.Principal.OrganizationID && (page.Limit == 0 || len(bound) < page.Limit) {
			bound = append(bound, t)
		}
	}
	return bound, err
}

// CreatePersonalToken makes a token for the caller's own programs, which is
// returned this once. It opens one organization, and is able to do what the
// caller's own token is, or less.
//
// CodeInvalid for a wrong name, role or end, and for no organization where there
// are several; CodeForbidden for one that is not the caller's, or is beyond their
// token; CodeConflict if they have cloud.MaxPersonalTokens, or took back
// cloud.MaxRevokedTokens that have not ended.
func (c *Control) CreatePersonalToken(ctx context.Context, caller cloud.Caller, in NewPersonalToken) (cloud.PersonalToken, cloud.Secret, error) {
	token, err := c.draftToken(ctx, caller, in)
	if err != nil {
		return token, cloud.Secret{}, err
	}
	// Before the transaction, since it reads the database: one that is not saved
	// is never seen by anybody.
	text, end, err := c.mint(ctx, token)
	if err != nil {
		return token, cloud.Secret{}, err
	}
	token.ExpiresAt = end.UTC()
	return token, text, c.changeAs(ctx, caller, cloud.ActionManageOwnTokens, func(tx cloud.Writer) error {
		if err := c.roomForToken(tx, caller, token); err != nil {
			return err
		}
		if err := tx.CreatePersonalToken(token); err != nil {
			return err
		}
		return c.auditCaller(tx, caller, tokenChange("personal_token.create", token, nil, tokenOf(token)))
	})
}

// roomForToken finds out, under locks, whether the organization takes changes by
// the token's owner, and whether they have not got all the tokens that they may
// have. Without the first lock the token could outlive a membership that ends at
// the same time.
func (c *Control) roomForToken(tx cloud.Writer, caller cloud.Caller, t cloud.PersonalToken) error {
	if err := lockOwn(tx, caller, t.OrganizationID); err != nil {
		return err
	}
	if err := tx.LockUser(t.UserID); err != nil {
		return err
	}
	revoked, err := tx.RevokedTokens(t.UserID)
	if err != nil {
		return err
	}
	if len(revoked) >= cloud.MaxRevokedTokens {
		return errTooManyRevoked
	}
	had, err := tx.CountPersonalTokens(t.UserID, c.now())
	return checkRoom(had, err, cloud.MaxPersonalTokens, "you have %d personal tokens, which is as many as there may be; delete those that are used no longer: GET /user/tokens lists them")
}

// Deleting does not help: it makes one more of these.
var errTooManyRevoked = cloud.Conflict("%d tokens of yours were taken back before their end, which is as many as there may be; "+
	"you can make another one when some of those would have ended: make tokens for a shorter time, and keep them", cloud.MaxRevokedTokens)

// lockOwn locks an organization to which the caller belongs, and which is not
// suspended.
func lockOwn(tx cloud.Writer, caller cloud.Caller, id cloud.ID) error {
	err := tx.LockOrganization(id)
	if err == nil {
		_, err = tx.Member(id, caller.UserID)
	}
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		return errNotTheirs
	}
	if err != nil {
		return err
	}
	organization, err := tx.Organization(id)
	if err != nil {
		return err
	}
	caller.Relation.Suspended = !organization.SuspendedAt.IsZero()
	return caller.Suspended()
}

// draftToken makes of the input what it asks for.
func (c *Control) draftToken(ctx context.Context, caller cloud.Caller, in NewPersonalToken) (t cloud.PersonalToken, err error) {
	if err := cloud.CheckTitle("name", in.Name); err != nil {
		return t, err
	}
	t = cloud.PersonalToken{ID: c.newID(), UserID: caller.UserID, Name: in.Name, CreatedAt: c.now()}
	if t.MaxRole, err = maxRoleOf(caller, in.MaxRole); err != nil {
		return t, err
	}
	if t.ExpiresAt, err = endOf(t.CreatedAt, in); err != nil {
		return t, err
	}
	t.OrganizationID, err = c.organizationOf(ctx, caller, in.OrganizationID)
	return t, err
}

// maxRoleOf is the highest role that a token may have, which is no higher than
// that of the token with which it is made.
func maxRoleOf(caller cloud.Caller, asked string) (cloud.Role, error) {
	limit := caller.MaxRole
	if asked == "" {
		return limit, nil
	}
	role, err := cloud.ParseRole(asked)
	if err != nil {
		return "", cloud.About("max_role", err)
	}
	if role.AtMost(limit) != role {
		return "", cloud.Forbidden("your token opens no more than %s, and so can make no token that opens more", limit)
	}
	return role, nil
}

// endOf is when a token ends, to the second, as tokens know it.
func endOf(now time.Time, in NewPersonalToken) (time.Time, error) {
	const day = 24 * time.Hour
	end := in.ExpiresAt
	switch {
	case end.IsZero() == (in.ExpiresInDays == 0):
		return end, cloud.Invalid("give either expires_at or expires_in_days")
	case end.IsZero() && (in.ExpiresInDays < 0 || in.ExpiresInDays > int(cloud.MaxPersonalTokenTTL/day)):
		return end, errTokenTTL
	case end.IsZero():
		end = now.Add(time.Duration(in.ExpiresInDays) * day)
	}
	end = end.UTC().Truncate(time.Second)
	if end.Before(now.Add(cloud.MinPersonalTokenTTL).Truncate(time.Second)) || end.After(now.Add(cloud.MaxPersonalTokenTTL)) {
		return end, errTokenTTL
	}
	return end, nil
}

var errTokenTTL = cloud.Invalid("a personal token must end between an hour and 365 days from now")

// organizationOf is the organization that a token is to open: the one asked for,
// else the one that the caller's token is bound to, else their only one.
func (c *Control) organizationOf(ctx context.Context, caller cloud.Caller, asked string) (cloud.ID, error) {
	bound := caller.Principal.OrganizationID
	if asked != "" {
		id, err := cloud.ParseID(asked)
		if err != nil {
			return "", cloud.About("organization_id", err)
		}
		if bound != "" && bound != id {
			return "", errNotTheirs
		}
		return id, nil
	}
	if bound != "" {
		return bound, nil
	}
	had, err := read(ctx, c, func(tx cloud.Reader) ([]cloud.Organization, error) {
		return tx.OrganizationsOf(caller.UserID, cloud.Page{Limit: 2})
	})
	switch {
	case err != nil:
		return "", err
	case len(had) == 0:
		return "", cloud.Forbidden("you belong to no organization that a token could open; ask an admin of one for an invitation")
	case len(had) > 1:
		return "", cloud.Invalid("you belong to several organizations; say with organization_id which one the token opens: GET /organizations lists them")
	}
	return had[0].ID, nil
}

var errNotTheirs = cloud.Forbidden("you do not belong to the organization that organization_id names, or your token does not open it; GET /organizations lists yours")

// DeletePersonalToken ends one of the caller's own, at once. CodeNotFound if they
// have none of that id.
func (c *Control) DeletePersonalToken(ctx context.Context, caller cloud.Caller, text string) error {
	id, err := cloud.ParseID(text)
	if err != nil {
		return errNoPersonalToken
	}
	return c.changeAs(ctx, caller, cloud.ActionManageOwnTokens, func(tx cloud.Writer) error {
		token, err := tx.PersonalToken(caller.UserID, id, c.now())
		bound := caller.Principal.OrganizationID
		if cloud.CodeOf(err) == cloud.CodeNotFound || err == nil && bound != "" && bound != token.OrganizationID {
			return errNoPersonalToken
		}
		if err != nil {
			return err
		}
		if err := tx.DeletePersonalToken(token.UserID, token.ID); err != nil {
			return err
		}
		if err := revokePersonal(tx, token); err != nil {
			return err
		}
		return c.auditCaller(tx, caller, tokenChange("personal_token.delete", token, tokenOf(token), nil))
	})
}

var errNoPersonalToken = cloud.NotFound("you have no personal token of that id; GET /user/tokens lists yours")

// revokePersonal makes a token good no more, also where its row is gone.
func revokePersonal(tx cloud.Writer, t cloud.PersonalToken) error {
	return tx.RevokeToken(cloud.Revoked(t.UserID, string(t.ID), t.ExpiresAt))
}

// tokenChange is of the organization that the token opens, whose admins see it.
func tokenChange(action string, t cloud.PersonalToken, before, after any) change {
	return change{action: action, target: string(t.ID), organization: t.OrganizationID, before: before, after: after}
}

func tokenOf(t cloud.PersonalToken) map[string]any {
	note := map[string]any{"name": t.Name, "expires_at": t.ExpiresAt}
	if t.MaxRole != "" {
		note["max_role"] = t.MaxRole
	}
	return note
}
