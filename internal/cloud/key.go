package cloud

import (
	"regexp"
	"time"
)

// SSHKey is a public key with which a user logs in to instances.
type SSHKey struct {
	UserID      ID
	Name        string // unique per user
	Line        string // one authorized_keys line without options
	Fingerprint string // SHA256:…; unique per user
	CreatedAt   time.Time
}

var keyNamePattern = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,63}$`)

// CheckKeyName holds for the names of SSH keys: 1 to 63 of RFC 3986's
// unreserved characters, and not one of the two that paths treat specially.
func CheckKeyName(name string) error {
	if !keyNamePattern.MatchString(name) || name == "." || name == ".." {
		return Invalid("name must be 1 to 63 characters of A-Z, a-z, 0-9, '-', '_', '.' and '~'; got %s", quoted(name))
	}
	return nil
}
