package cloud

// Bounds is how much there is at most of what people make by themselves. An
// operator may have more of it, or less.
type Bounds struct {
	SSHKeys         int64 // of a user
	Organizations   int64 // that a person made
	ServiceAccounts int64 // of an organization
	Invitations     int64 // of an organization, pending
}

// DefaultBounds are those of an operator who says nothing else.
var DefaultBounds = Bounds{SSHKeys: 100, Organizations: 20, ServiceAccounts: 200, Invitations: 500}

// MaxBound is the largest bound that can be set.
const MaxBound = 1_000_000
