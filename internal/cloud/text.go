package cloud

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// quotedLimit bounds, in bytes, how much of a caller's own input an error
// message repeats.
const quotedLimit = 80

// quoted renders untrusted input for an error message: quoted, printable and
// bounded.
func quoted(s string) string {
	if len(s) > quotedLimit {
		s = strings.ToValidUTF8(s[:quotedLimit], "") + "…"
	}
	return strconv.QuoteToGraphic(s)
}

// printable reports whether s is valid UTF-8 without control characters.
func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

// place names an entry of a list, for an error message.
func place(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }
