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
	ActionReadCloud          Action = "read the cloud"          // regions, the caller's own organizations
	ActionReadOwnAccount     Action = "read own account"        // the caller's account, SSH keys and invitations
	ActionManageOwnKeys      Action = "manage own account"      // the caller's SSH keys and own account
	ActionFoundOrganization  Action = "make an organization"    // of which the caller is the first admin
	ActionAcceptInvitation   Action = "accept an invitation"    //
	ActionReadFleet          Action = "read the fleet"          // clusters and instances
	ActionReadAccounts       Action = "read members"            // members and invitations
	ActionLeaveOrganization  Action = "leave the organization"  //
	ActionStopFleet          Action = "stop what runs"          // asked by regions, as the next
	ActionChangeFleet        Action = "change what runs"        //
	ActionManageMembers      Action = "manage members"          //
	ActionManageInvitations  Action = "manage invitations"      //
	ActionManageOrganization Action = "manage the organization" // its name
	ActionReadAudit          Action = "read the audit"          //
	ActionManageServices     Action = "manage service accounts" // with their secrets and keys
	ActionReadOwnTokens      Action = "read own tokens"         // the caller's personal tokens
	ActionManageOwnTokens    Action = "manage own tokens"       //
)

// Effect is whether an action changes anything.
type Effect bool

// The effects. What changes something is refused while the caller, or the
// organization, is suspended.
const (
	Reads   Effect = false
	Changes Effect = true
)

// Reach is which of the tokens of those whose role is enough an action takes.
type Reach int

// The reaches, from all tokens to fewest.
const (
	AnyToken   Reach = iota
	OwnToken         // of a person who signed in: not a service account's, nor a personal token
	WholeToken       // such a one that is bound to no organization
)

// permissions is the one table of who may do what. Actions that need no role
// (reading the cloud, one's own keys) belong to every authenticated caller.
var permissions = []Permission{
	{ActionReadCloud, "", Reads, AnyToken},
	{ActionReadOwnAccount, "", Reads, AnyToken},
	{ActionManageOwnKeys, "", Changes, AnyToken},
	{ActionFoundOrganization, "", Changes, WholeToken},
	{ActionAcceptInvitation, "", Changes, WholeToken},
	{ActionReadFleet, RoleViewer, Reads, AnyToken},
	{ActionReadAccounts, RoleViewer, Reads, AnyToken},
	{ActionLeaveOrganization, RoleViewer, Changes, OwnToken},
	{ActionStopFleet, RoleEditor, Changes, AnyToken},
	{ActionChangeFleet, RoleEditor, Changes, AnyToken},
	{ActionManageMembers, RoleAdmin, Changes, AnyToken},
	{ActionManageInvitations, RoleAdmin, Changes, AnyToken},
	{ActionManageOrganization, RoleAdmin, Changes, AnyToken},
	{ActionReadAudit, RoleAdmin, Reads, AnyToken},
	{ActionManageServices, RoleAdmin, Changes, AnyToken},
	{ActionReadOwnTokens, "", Reads, OwnToken},
	{ActionManageOwnTokens, "", Changes, OwnToken},
}

// Permission says which role an action needs at least; none means that every
// authenticated caller may, in no particular organization.
type Permission struct {
	Action Action
	Least  Role
	Effect Effect
	Reach  Reach
}

// Permissions returns the table of who may do what, for documentation and
// tests.
func Permissions() []Permission { return slices.Clone(permissions) }

// NeedsOrganization reports whether the action happens within one organization
// and so needs a role there. An action that is not in the table needs one, and
// nobody has it.
func (a Action) NeedsOrganization() bool {
	p, ok := a.permission()
	return !ok || p.Least != ""
}

// Changes reports whether the action changes anything. One that is not in the
// table does.
func (a Action) Changes() bool {
	p, ok := a.permission()
	return !ok || p.Effect == Changes
}

func (a Action) permission() (p Permission, ok bool) {
	i := slices.IndexFunc(permissions, func(p Permission) bool { return p.Action == a })
	if i < 0 {
		return p, false
	}
	return permissions[i], true
}

// Authorize decides whether a member with this role may do the action. The
// refusal is a CodeForbidden error that names the role needed.
func (r Role) Authorize(a Action) error {
	p, ok := a.permission()
	switch {
	case !ok:
		return Forbidden("nobody may %s", a)
	case r.rank() < p.Least.rank():
		return Forbidden("to %s needs the role %s or above in this organization; yours is %s", a, p.Least, r)
	default:
		return nil
	}
}

// AtMost returns the lesser of two roles; limit "" sets none.
func (r Role) AtMost(limit Role) Role {
	if limit != "" && limit.rank() < r.rank() {
		return limit
	}
	return r
}

func (r Role) rank() int {
	return slices.Index([]Role{"", RoleViewer, RoleEditor, RoleAdmin}, r)
}
