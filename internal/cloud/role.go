package cloud

import (
	"slices"
	"strings"
)

// Role is what a member may do in an organization.
type Role string

// The roles, from least to most.
const (
	RoleViewer Role = "viewer"
	RoleEditor Role = "editor"
	RoleAdmin  Role = "admin"
)

// Roles lists the roles in the order in which messages name them.
var Roles = []Role{RoleAdmin, RoleEditor, RoleViewer}

// ParseRole reads a role's name, as the contract's enum spells it.
func ParseRole(s string) (Role, error) {
	if slices.Contains(Roles, Role(s)) {
		return Role(s), nil
	}
	if s == "" {
		return "", Invalid("role is missing; it must be one of %s", roleNames())
	}
	return "", Invalid("role must be one of %s; got %s", roleNames(), quoted(s))
}

func roleNames() string {
	names := make([]string, len(Roles))
	for i, r := range Roles {
		names[i] = string(r)
	}
	return strings.Join(names, ", ")
}

// Action is something that a caller may or may not do. Roles are granted
// actions, and operations ask for them.
type Action string

// The actions of the Management API and, for what runs, of the regions.
const (
	ActionReadCloud         Action = "read the cloud"     // regions, the caller's own organizations
	ActionManageOwnKeys     Action = "manage own account" // the caller's SSH keys and own account
	ActionReadFleet         Action = "read the fleet"     // clusters and instances
	ActionReadAccounts      Action = "read members"       // members and invitations
	ActionStopFleet         Action = "stop what runs"     // asked by regions, as the next
	ActionChangeFleet       Action = "change what runs"   //
	ActionManageMembers     Action = "manage members"     //
	ActionManageInvitations Action = "manage invitations" //
)

// permissions is the one table of who may do what. Actions that need no role
// (reading the cloud, one's own keys) belong to every authenticated caller.
var permissions = []Permission{
	{ActionReadCloud, ""},
	{ActionManageOwnKeys, ""},
	{ActionReadFleet, RoleViewer},
	{ActionReadAccounts, RoleViewer},
	{ActionStopFleet, RoleEditor},
	{ActionChangeFleet, RoleEditor},
	{ActionManageMembers, RoleAdmin},
	{ActionManageInvitations, RoleAdmin},
}

// Permission says which role an action needs at least; none means that every
// authenticated caller may, in no particular organization.
type Permission struct {
	Action Action
	Least  Role
}

// Permissions returns the table of who may do what, for documentation and
// tests.
func Permissions() []Permission { return slices.Clone(permissions) }

// NeedsOrganization reports whether the action happens within one organization
// and so needs a role there. An action that is not in the table needs one, and
// nobody has it.
func (a Action) NeedsOrganization() bool {
	i := slices.IndexFunc(permissions, func(p Permission) bool { return p.Action == a })
	return i < 0 || permissions[i].Least != ""
}

// Authorize decides whether a member with this role may do the action. The
// refusal is a CodeForbidden error that names the role needed.
func (r Role) Authorize(a Action) error {
	for _, p := range permissions {
		if p.Action != a {
			continue
		}
		if r.rank() >= p.Least.rank() {
			return nil
		}
		return Forbidden("to %s needs the role %s or above in this organization; yours is %s", a, p.Least, r)
	}
	return Forbidden("nobody may %s", a)
}

func (r Role) rank() int {
	return slices.Index([]Role{"", RoleViewer, RoleEditor, RoleAdmin}, r)
}
