package cloud

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// ProjectState is where a project is in its life.
type ProjectState string

// The states, as clients of the Infrastructure API spell them.
const (
	ProjectActive   ProjectState = "active"
	ProjectDeleting ProjectState = "deleting"
)

// Project is what an organization's instances and filesystems in a region
// belong to. Projects do not reach each other's networks.
type Project struct {
	ID             ID
	OrganizationID ID
	Name           string
	State          ProjectState
	Tags           Tags
	CreatedAt      time.Time
}

// Tags are what tenants label their things with.
type Tags map[string]string

// Bounds on tags: how many, and of values in bytes.
const (
	MaxTags     = 64
	MaxTagKey   = 63
	MaxTagValue = 256
)

// Check says what is wrong with the tags, if anything.
func (t Tags) Check() error {
	if len(t) > MaxTags {
		return Invalid("tags: at most %d; got %d", MaxTags, len(t))
	}
	for _, key := range slices.Sorted(maps.Keys(t)) {
		if !validTagKey(key) {
			return Invalid("tags: the key %s must be 1 to %d letters, digits, '-', '_' or '.', the first and last a letter or digit", quoted(key), MaxTagKey)
		}
		if value := t[key]; len(value) > MaxTagValue || !printable(value) {
			return Invalid("tags: the value of %s must be printable and at most %d bytes", quoted(key), MaxTagValue)
		}
	}
	return nil
}

func validTagKey(key string) bool {
	if key == "" || len(key) > MaxTagKey || !alphanumeric(rune(key[0])) || !alphanumeric(rune(key[len(key)-1])) {
		return false
	}
	return !strings.ContainsFunc(key, func(r rune) bool { return !alphanumeric(r) && !strings.ContainsRune("-_.", r) })
}

func alphanumeric(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// MaxThingName bounds the name of a project, an instance or a filesystem, in
// bytes.
const MaxThingName = 63

// CheckThingName says what is wrong with a name that a tenant gives, if
// anything.
func CheckThingName(field, name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return Invalid("%s is missing; give 1 to %d bytes", field, MaxThingName)
	case len(name) > MaxThingName || !printable(name):
		return Invalid("%s must be printable and at most %d bytes; got %s", field, MaxThingName, quoted(name))
	}
	return nil
}
