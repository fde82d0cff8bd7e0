package cloud

import (
	"net/mail"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/uuid"
)

// refusedWell holds of every refusal that it is one, and fit to be read.
func refusedWell(t *testing.T, err error) {
	t.Helper()
	if message := err.Error(); CodeOf(err) != CodeInvalid || len(message) > 1000 || !utf8.ValidString(message) || strings.ContainsAny(message, "\r\n\x00") {
		t.Errorf("refused with %s: %q", CodeOf(err), message)
	}
}

// FuzzParseEmail proves that an accepted address is one that mail can be sent
// to and no more than that, and that its key is the same in every case.
func FuzzParseEmail(f *testing.F) {
	for _, seed := range []string{
		"", "@", "ada@example.com", "Ada@Example.COM", "o'hara+tag@x-1.example", "örjan@exämple.se", "\"a b\"@example.com", "Ada <ada@example.com>",
		"ada@[192.0.2.1]", "ada@example.com\r\nBcc: bob@example.com", "ada@example.com, bob@example.com", "=?utf-8?q?ada?=@example.com", "K@example.com",
		"ada@example.com(x)", "ada@İ.example", "ada\u200b@example.com", strings.Repeat("a", 243) + "@example.com",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		email, err := ParseEmail(s)
		if err != nil {
			refusedWell(t, err)
			return
		}
		read, err := mail.ParseAddress("<" + s + ">")
		if err != nil || read.Address != s || string(email) != s {
			t.Fatalf("%q is read as %v: %v", s, read, err)
		}
		if strings.ContainsAny(s, " \t\r\n,;:<>()[]\"\\\x00") || strings.Count(s, "@") != 1 || len(s) > maxEmail {
			t.Errorf("%q is accepted", s)
		}
		for _, spelling := range []string{email.Key(), strings.Map(asciiUpper, s)} {
			if got := Email(spelling).Key(); got != email.Key() {
				t.Errorf("%q has the key %q, and %q has %q", s, email.Key(), spelling, got)
			}
		}
	})
}

func asciiUpper(r rune) rune {
	if 'a' <= r && r <= 'z' {
		return r + 'A' - 'a'
	}
	return r
}

// FuzzParseID proves that an accepted ID is a UUID in the one form in which it
// is stored and compared.
func FuzzParseID(f *testing.F) {
	for _, seed := range []string{
		"", "019cae00-0000-7000-8000-0000000000a1", "019CAE00-0000-7000-8000-0000000000A1", "00000000-0000-0000-0000-000000000000",
		"{019cae00-0000-7000-8000-0000000000a1}", "urn:uuid:019cae00-0000-7000-8000-0000000000a1", "019cae00000070008000000000000 0a1",
		"019cae00-0000-7000-8000-00000000\u00e9\u00e9", "-19cae00-0000-7000-8000-0000000000a1", "019cae0000-00-7000-8000-0000000000a1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		if err != nil {
			refusedWell(t, err)
			return
		}
		parsed, err := uuid.Parse(s)
		if err != nil || parsed.String() != string(id) || !strings.EqualFold(s, string(id)) {
			t.Errorf("%q is read as %q; it is %v, %v", s, id, parsed, err)
		}
		if again, err := ParseID(string(id)); again != id || err != nil {
			t.Errorf("%q is read as %q: %v", id, again, err)
		}
	})
}
