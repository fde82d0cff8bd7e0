package cloud

import (
	"net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// UserKind says whose account it is.
type UserKind string

// The kinds of accounts.
const (
	Person  UserKind = "person"
	Service UserKind = "service" // a ServiceAccount
)

// User is an account of a person or a program.
type User struct {
	ID          ID
	Email       Email
	Name        string
	Kind        UserKind
	CreatedAt   time.Time
	SuspendedAt time.Time // zero for not; see Caller.Suspended
}

// Email is an address as its owner writes it. Two that differ only in case are
// the same address: compare and store keys by Key.
type Email string

// maxEmail is the longest address in bytes (RFC 5321, 4.5.3.1.3, less the
// angle brackets).
const maxEmail = 254

// ParseEmail checks a bare address (RFC 5322 addr-spec, without a display
// name) and returns it as given.
func ParseEmail(s string) (Email, error) {
	if s == "" {
		return "", Invalid("email is missing; give an address such as ada@example.com")
	}
	if len(s) > maxEmail {
		return "", Invalid("email must be at most %d characters; got %d", maxEmail, len(s))
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || !plausibleDomain(s) || !visible(s) {
		return "", Invalid("email must be an address such as ada@example.com; got %s", quoted(s))
	}
	return Email(s), nil
}

// visible reports whether people see all that is in an address: invisible
// characters make one look like another, and a replacement character stands
// for bytes that were lost on the way.
func visible(address string) bool {
	return !strings.ContainsFunc(address, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar })
}

func plausibleDomain(address string) bool {
	at := strings.LastIndexByte(address, '@')
	if strings.ContainsAny(address[:at], "\" @") {
		return false // quoted local parts: legal, unused, and a way around comparisons
	}
	labels := strings.Split(address[at+1:], ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range label {
			if c < 0x80 && c != '-' && (c < '0' || '9' < c && c < 'A' || 'Z' < c && c < 'a' || 'z' < c) {
				return false
			}
		}
	}
	return true
}

// Key is the form in which addresses are compared and kept unique. Only the
// letters of ASCII lose their case: others become letters of ASCII by that, such
// as the Kelvin sign, and would make one address look like another.
func (e Email) Key() string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, string(e))
}

// Masked is the address as somebody may see it who need not know it: enough of
// it for its owner to recognize.
func (e Email) Masked() string {
	local, domain, _ := strings.Cut(string(e), "@")
	_, first := utf8.DecodeRuneInString(local)
	return local[:first] + "…@" + domain
}
