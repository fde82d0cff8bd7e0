package cloud

import "slices"

// Grant is what a subject may do in an organization, as the plane tells it to
// a region. The zero value is that of whoever is no member.
type Grant struct {
	Role          Role     // "" for none
	SSHKeys       []string // lines of the subject's keys, by their names
	RevokedTokens []string // ids of the subject's tokens that are good no more
}

// Equal reports whether two grants say the same.
func (g Grant) Equal(o Grant) bool {
	return g.Role == o.Role && slices.Equal(g.SSHKeys, o.SSHKeys) && slices.Equal(g.RevokedTokens, o.RevokedTokens)
}

// GrantKey is whose grant it is, and where.
type GrantKey struct{ Subject, Organization ID }

// Matches reports whether the key is one that the pattern stands for, in which
// "" stands for all.
func (k GrantKey) Matches(pattern GrantKey) bool {
	return (pattern.Subject == "" || pattern.Subject == k.Subject) &&
		(pattern.Organization == "" || pattern.Organization == k.Organization)
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
