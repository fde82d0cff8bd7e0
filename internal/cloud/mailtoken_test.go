package cloud_test

import (
	"strings"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func TestInvitationToken(t *testing.T) {
	t.Parallel()
	const id = cloud.ID("0198a1b2-0000-7000-8000-000000000001")
	key, other := cloud.NewSecret(strings.Repeat("k", 32)), cloud.NewSecret(strings.Repeat("o", 32))
	token := cloud.InvitationToken(key, id, 3)
	gotID, generation, err := cloud.ParseInvitationToken(key, token)
	if err != nil || gotID != id || generation != 3 {
		t.Errorf("got %s, %d, %v; want what it was made of", gotID, generation, err)
	}
	text := token.Reveal()
	flipped := []byte(text)
	flipped[60] ^= 1
	for name, wrong := range map[string]struct {
		key  cloud.Secret
		text string
	}{
		"another key":   {other, text},
		"nothing":       {key, ""},
		"cut":           {key, text[:len(text)-4]},
		"longer":        {key, text + "AAAA"},
		"a flipped bit": {key, string(flipped)},
		"a line break":  {key, text[:40] + "\n" + text[40:]},
		"no base64":     {key, strings.Repeat("!", len(text))},
	} {
		if _, _, err := cloud.ParseInvitationToken(wrong.key, cloud.NewSecret(wrong.text)); cloud.CodeOf(err) != cloud.CodeNotFound {
			t.Errorf("%s: got %v; want %s", name, err, cloud.CodeNotFound)
		}
	}
}

func TestSignInCode(t *testing.T) {
	t.Parallel()
	key := cloud.NewSecret(strings.Repeat("k", 32))
	code := cloud.SignInCode(key, "a").Reveal()
	if len(code) != 8 || strings.Trim(code, "0123456789") != "" {
		t.Errorf("got %q; want 8 digits", code)
	}
	if cloud.SignInCode(key, "a").Reveal() != code || cloud.SignInCode(key, "b").Reveal() == code {
		t.Error("want one code for each sign-in")
	}
}

// What looks like an address of somebody else is not that address.
func TestLookAlikesAreOthers(t *testing.T) {
	t.Parallel()
	for one, other := range map[cloud.Email]cloud.Email{
		"kim@example.com": "\u212aim@example.com", // the Kelvin sign, which lower-cases to k
		"ada@example.com": "\u0430da@example.com", // Cyrillic
		"ils@example.com": "\u0130ls@example.com",
	} {
		if one.Key() == other.Key() {
			t.Errorf("%q and %q are the same address", one, other)
		}
	}
	if cloud.Email("Ada@Example.COM").Key() != "ada@example.com" || cloud.Email("Ada@Example.COM").Domain() != "example.com" {
		t.Error("the case of ASCII matters")
	}
}
