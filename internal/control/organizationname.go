package control

import (
	"fmt"
	"iter"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

const (
	// maxSlug leaves of the 63 characters of a name what tells two apart.
	maxSlug = 50
	// numberedNames is how many of one name are told apart by a number.
	numberedNames = 9
	// nameless is the organization of whose name nothing can be written in ASCII.
	nameless = "organization"
)

// namesFor yields the names that an organization may get, the nicest first:
// acme, acme-2 and so on, and at last one with the end of its id, which nobody
// else has.
func namesFor(o cloud.Organization) iter.Seq[string] {
	return func(yield func(string) bool) {
		name := slug(o.DisplayName)
		if !yield(name) {
			return
		}
		for n := 2; n <= numberedNames; n++ {
			if !yield(fmt.Sprintf("%s-%d", name, n)) {
				return
			}
		}
		yield(name + "-" + string(o.ID[len(o.ID)-12:]))
	}
}

// slug writes a name as a DNS label of at most maxSlug characters: without case
// and accents, and with a dash for all else.
func slug(name string) string {
	var out strings.Builder
	dash := false // one is due before the next letter
	for _, r := range norm.NFKD.String(name) {
		text := ascii(r)
		switch {
		case unicode.Is(unicode.Mn, r): // an accent that was part of a letter
		case text == "":
			dash = out.Len() > 0
		case out.Len()+len(text)+1 > maxSlug:
			return out.String()
		default:
			if dash {
				out.WriteByte('-')
			}
			out.WriteString(text)
			dash = false
		}
	}
	if out.Len() == 0 {
		return nameless
	}
	return out.String()
}

// ascii writes a letter or digit in a-z and 0-9; "" if that cannot be done.
func ascii(r rune) string {
	switch r = unicode.ToLower(r); {
	case 'a' <= r && r <= 'z' || '0' <= r && r <= '9':
		return string(r)
	default:
		return ligatures[r]
	}
}

// ligatures are the letters that do not fall into one of ASCII and an accent.
var ligatures = map[rune]string{
	'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'ł': "l", 'đ': "d", 'ð': "d", 'þ': "th", 'ı': "i", 'ħ': "h", 'ŧ': "t", 'ŋ': "ng",
}
