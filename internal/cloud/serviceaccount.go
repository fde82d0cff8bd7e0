package cloud

import (
	"strings"
	"time"
)

// ServiceAccount is a program's account in one organization, where it is a
// member with a role. It outlives whoever made it.
type ServiceAccount struct {
	ID             ID // of its user, as which it calls
	OrganizationID ID
	Name           string // unique in the organization; see CheckName
	Role           Role
	CreatedBy      ID
	CreatedAt      time.Time
}

// ServiceSecret is what a service account gets tokens with.
type ServiceSecret struct {
	ID               ID
	ServiceAccountID ID
	Hash             SecretHash
	CreatedAt        time.Time
	LastUsedAt       time.Time // to within SecretUseGrain; zero for never
}

// MaxServiceSecrets is how many secrets an account has at a time: the one in
// use, and the one that replaces it.
const MaxServiceSecrets = 2

// SecretUseGrain is how exactly the last use of a secret is known.
const SecretUseGrain = time.Minute

// serviceDomain ends the addresses of service accounts. No mail ever arrives
// there (RFC 2606, 2), so nobody else can have one.
const serviceDomain = "service.invalid"

// ServiceEmail is the address by which a service account is told from others.
func ServiceEmail(account, organization string) Email {
	return Email(account + "@" + organization + "." + serviceDomain)
}

// IsService reports whether an address is one that ServiceEmail makes.
func (e Email) IsService() bool { return strings.HasSuffix(e.Domain(), "."+serviceDomain) }
