package cloud

import (
	"regexp"
	"time"
)

// Organization is a tenant.
type Organization struct {
	ID          ID
	Name        string // unique, readable, URL-safe
	DisplayName string
	CreatedAt   time.Time
	SuspendedAt time.Time // zero for not; see Caller.Suspended
	FoundedBy   ID        // the user who made it; "" for the operator
}

var namePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// CheckName holds for the names of organizations and regions: a DNS label, so
// that it can stand in URLs, host names and metrics.
func CheckName(what, name string) error {
	if !namePattern.MatchString(name) {
		return Invalid("%s must be 1 to 63 characters of a-z, 0-9 and '-', beginning and ending with a letter or digit; got %s", what, quoted(name))
	}
	return nil
}
