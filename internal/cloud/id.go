package cloud

import "strings"

// ID is a UUID in its canonical form: 36 characters, lower case. Those that we
// make are version 7 (RFC 9562), so that ordering by ID is ordering by birth.
type ID string

// ParseID reads a UUID in its 36-character form, in either case. Any version
// is accepted, since regions and older systems choose their own.
func ParseID(s string) (ID, error) {
	if len(s) != 36 {
		return "", Invalid("%s is not a UUID of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", quoted(s))
	}
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return "", Invalid("%s is not a UUID: a '-' belongs at position %d", quoted(s), i+1)
			}
		case !isHex(c):
			return "", Invalid("%s is not a UUID: position %d is no hexadecimal digit", quoted(s), i+1)
		}
	}
	return ID(strings.ToLower(s)), nil
}

// checkForm refuses what is no ID: ids are compared as they are written, in
// lower case.
func (id ID) checkForm() error {
	parsed, err := ParseID(string(id))
	if err != nil {
		return err
	}
	if parsed != id {
		return Invalid("ids are written in lower case: %s", quoted(string(id)))
	}
	return nil
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
