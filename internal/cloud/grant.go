package cloud

import "slices"

// Grant is what a subject may do in an organization, as the plane tells it to
// a region; or, for no organization in particular, where the subject belongs.
// The zero value is that of whoever is no member.
type Grant struct {
	Role          Role     // "" for none
	Suspended     bool     // the subject or the organization is: it may read only
	SSHKeys       []string // lines of the subject's keys, by their names
	RevokedTokens []string // ids of the subject's tokens that are good no more

	// Organizations are those of the subject that the region may serve, by id.
	// Only the grant for no organization in particular has them, and no role.
	Organizations []ID
}

// None reports whether the subject belongs nowhere, as far as was asked.
func (g Grant) None() bool { return g.Role == "" && len(g.Organizations) == 0 }

// Equal reports whether two grants say the same.
func (g Grant) Equal(o Grant) bool {
	return g.Role == o.Role && g.Suspended == o.Suspended && slices.Equal(g.SSHKeys, o.SSHKeys) && slices.Equal(g.RevokedTokens, o.RevokedTokens) &&
		slices.Equal(g.Organizations, o.Organizations)
}

// GrantKey is whose grant it is, and where: "" for no organization in
// particular.
type GrantKey struct{ Subject, Organization ID }

// List is the key of where the subject belongs.
func (k GrantKey) List() GrantKey { return GrantKey{Subject: k.Subject} }

// Matches reports whether the key is one that the pattern stands for, in which
// "" stands for all. What changes in any organization may change where a
// subject belongs, so every pattern of the subject stands for that as well.
func (k GrantKey) Matches(pattern GrantKey) bool {
	return (pattern.Subject == "" || pattern.Subject == k.Subject) &&
		(pattern.Organization == "" || k.Organization == "" || pattern.Organization == k.Organization)
}

// GrantChanges says which grants are not what they were.
type GrantChanges struct {
	Revision uint64     // of the grants after these changes
	All      bool       // they are too many to tell, or forgotten: any may have changed
	Keys     []GrantKey // patterns; see GrantKey.Matches
}

// MaxGrantChanges is how many changes of grants the plane remembers. A region
// that is behind by more is told that all have changed.
const MaxGrantChanges = 1000
