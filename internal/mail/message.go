package mail

import (
	"strings"
	"time"
	"unicode"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Message is a mail as it is sent, in two forms of which the recipient's
// program shows one.
type Message struct {
	ID      cloud.ID // the same one whenever it is sent again, so that doubles can be told
	To      cloud.Email
	Subject string
	Text    string
	HTML    string
	Date    time.Time
}

// maxName is how much is shown of a name that somebody chose, in characters.
const maxName = 100

// oneLine makes a name fit to stand within a line: names are their owners'
// choice, and must not look like more than names.
func oneLine(name string) string {
	name = strings.ToValidUTF8(name, "")
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r): // controls, and what turns the direction of writing
			return -1
		default:
			return r
		}
	}, name)
	name = strings.Join(strings.Fields(name), " ")
	if runes := []rune(name); len(runes) > maxName {
		name = string(runes[:maxName-1]) + "…"
	}
	return name
}
