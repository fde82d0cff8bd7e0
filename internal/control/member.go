package control

import (
	"context"
	"strings"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Members lists the members of the caller's organization.
func (c *Control) Members(ctx context.Context, caller cloud.Caller, page cloud.Page) (Listing[cloud.Member], error) {
	return read(ctx, c, func(tx cloud.Reader) (Listing[cloud.Member], error) {
		return list(page, func(p cloud.Page) ([]cloud.Member, error) {
			return tx.Members(caller.Relation.OrganizationID, p)
		}, func(m cloud.Member) string { return string(m.User.ID) })
	})
}

// UpdateMember gives a member of the caller's organization another role.
// CodeInvalid for no or a wrong role, CodeNotFound for nobody of that id,
// CodeConflict for the last admin's demotion.
func (c *Control) UpdateMember(ctx context.Context, caller cloud.Caller, user, role string) (cloud.Member, error) {
	next, err := cloud.ParseRole(role)
	if err != nil {
		return cloud.Member{}, err
	}
	var member cloud.Member
	err = c.changeMember(ctx, caller, user, func(tx cloud.Writer, m cloud.Member) error {
		member = m
		member.Role = next
		if err := checkLastAdmin(tx, m, next); err != nil {
			return err
		}
		if m.Role == next {
			return nil
		}
		if err := tx.SetRole(m.OrganizationID, m.User.ID, next); err != nil {
			return err
		}
		return c.auditCaller(tx, caller, change{
			action: "member.update", target: string(m.User.ID), organization: m.OrganizationID,
			before: roleOf(m), after: roleOf(member),
		})
	})
	return member, err
}

// DeleteMember removes a member from the caller's organization. CodeNotFound
// for nobody of that id, CodeConflict for the last admin.
func (c *Control) DeleteMember(ctx context.Context, caller cloud.Caller, user string) error {
	return c.changeMember(ctx, caller, user, func(tx cloud.Writer, m cloud.Member) error {
		return c.endMembership(tx, caller, m, "member.delete")
	})
}

// endMembership removes a member, and with the membership the tokens that were
// made for it: whoever is invited again does not get them back. CodeConflict for
// the last admin. The organization's row is locked.
func (c *Control) endMembership(tx cloud.Writer, caller cloud.Caller, m cloud.Member, action string) error {
	if err := checkLastAdmin(tx, m, ""); err != nil {
		return err
	}
	tokens, err := tx.DeletePersonalTokensIn(m.OrganizationID, m.User.ID)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		if err := revokePersonal(tx, t); err != nil {
			return err
		}
	}
	if err := tx.RemoveMember(m.OrganizationID, m.User.ID); err != nil {
		return err
	}
	return c.auditCaller(tx, caller, change{
		action: action, target: string(m.User.ID), organization: m.OrganizationID, before: roleOf(m),
	})
}

// changeMember runs a change of one member, a person, under the lock that keeps
// the count of admins true.
func (c *Control) changeMember(ctx context.Context, caller cloud.Caller, user string, fn func(cloud.Writer, cloud.Member) error) error {
	id, err := cloud.ParseID(user)
	if err != nil {
		return errNoMember
	}
	return c.changeAs(ctx, caller, cloud.ActionManageMembers, func(tx cloud.Writer) error {
		member, err := tx.Member(caller.Relation.OrganizationID, id)
		if cloud.CodeOf(err) == cloud.CodeNotFound || err == nil && member.User.Kind == cloud.Service {
			return errNoMember
		}
		if err != nil {
			return err
		}
		return fn(tx, member)
	})
}

// checkLastAdmin refuses to leave a member with the role next ("" for none) if
// the organization would have no admin then.
func checkLastAdmin(tx cloud.Reader, m cloud.Member, next cloud.Role) error {
	admins, err := tx.CountAdmins(m.OrganizationID)
	if err != nil {
		return err
	}
	return cloud.CheckLastAdmin(m, next, admins)
}

var errNoMember = cloud.NotFound("no member of this organization has that id; GET /members lists them")

func roleOf(m cloud.Member) map[string]any {
	return map[string]any{"role": m.Role, "email": m.User.Email}
}

// EnsureMember finds or makes a user and their membership; organization "" is
// the first one. A membership that exists with another role is CodeConflict:
// an operator who wants a token must not promote somebody by accident. So is a service account of another organization.
func (o Operator) EnsureMember(ctx context.Context, email, role, organization string) (cloud.Member, error) {
	address, err := cloud.ParseEmail(email)
	if err != nil {
		return cloud.Member{}, err
	}
	wanted, err := cloud.ParseRole(role)
	if err != nil {
		return cloud.Member{}, err
	}
	var member cloud.Member
	err = o.store.Write(ctx, func(tx cloud.Writer) error {
		org, err := namedOrFirst(tx, organization)
		if err != nil {
			return err
		}
		user, err := o.ensureUser(tx, address)
		if err != nil {
			return err
		}
		member, err = o.ensureMembership(tx, org, user, wanted)
		return err
	})
	return member, err
}

// EnsureFirstAdmin finds a user, or makes them with the role of admin in the
// first organization. One who is there keeps the role that they have, if any:
// a restart gives nobody back what was taken away.
func (o Operator) EnsureFirstAdmin(ctx context.Context, email cloud.Email) (cloud.User, error) {
	var user cloud.User
	err := o.store.Write(ctx, func(tx cloud.Writer) (err error) {
		user, err = tx.UserByEmail(email)
		if cloud.CodeOf(err) != cloud.CodeNotFound {
			return err
		}
		org, err := namedOrFirst(tx, "")
		if err != nil {
			return err
		}
		if user, err = o.ensureUser(tx, email); err != nil {
			return err
		}
		_, err = o.ensureMembership(tx, org, user, cloud.RoleAdmin)
		return err
	})
	return user, err
}

func namedOrFirst(tx cloud.Reader, name string) (cloud.Organization, error) {
	if name == "" {
		org, err := tx.FirstOrganization()
		if cloud.CodeOf(err) == cloud.CodeNotFound {
			return org, cloud.NotFound("there is no organization yet; make one with: penstock admin org create NAME")
		}
		return org, err
	}
	return organizationNamed(tx, name)
}

func organizationNamed(tx cloud.Reader, name string) (cloud.Organization, error) {
	org, err := tx.OrganizationByName(name)
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		return org, cloud.NotFound("there is no organization named %q; make it with: penstock admin org create %s", name, name)
	}
	return org, err
}

func (o Operator) ensureUser(tx cloud.Writer, email cloud.Email) (cloud.User, error) {
	user, err := tx.UserByEmail(email)
	if cloud.CodeOf(err) != cloud.CodeNotFound {
		return user, err
	}
	if email.IsService() {
		return user, cloud.NotFound("there is no service account %s; an admin of its organization makes it", email)
	}
	local, _, _ := strings.Cut(string(email), "@")
	user = cloud.User{ID: o.newID(), Email: email, Name: local, Kind: cloud.Person, CreatedAt: o.now()}
	if err := tx.CreateUser(user); err != nil {
		return user, err
	}
	return user, o.audit(tx, change{action: "user.create", target: string(user.ID), after: map[string]any{"email": email}})
}

func (o Operator) ensureMembership(tx cloud.Writer, org cloud.Organization, user cloud.User, role cloud.Role) (cloud.Member, error) {
	member, err := tx.Member(org.ID, user.ID)
	if err == nil && member.Role != role {
		return member, cloud.Conflict("%s is %s of %s already, not %s; ask for that role, or change it with PATCH /members/%s", user.Email, member.Role, org.Name, role, user.ID)
	}
	if cloud.CodeOf(err) != cloud.CodeNotFound {
		return member, err
	}
	if user.Kind == cloud.Service {
		return member, cloud.Conflict("%s is a service account, which belongs to one organization; %s is another", user.Email, org.Name)
	}
	member = cloud.Member{OrganizationID: org.ID, User: user, Role: role, JoinedAt: o.now()}
	if err := tx.AddMember(member); err != nil {
		return member, err
	}
	return member, o.audit(tx, change{action: "member.create", target: string(user.ID), organization: org.ID, after: roleOf(member)})
}
