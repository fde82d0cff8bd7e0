package cloud

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	const text = "hunter2hunter2"
	secret := NewSecret(text)
	hash := string(secret.Hash())
	type holder struct {
		S Secret
		P *Secret
		H SecretHash
	}
	held := holder{secret, &secret, secret.Hash()}
	hidden := struct{ s Secret }{secret} // fmt does not ask the methods of unexported fields
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%T"} {
		for _, value := range []any{secret, &secret, held, &held, hidden, &hidden, []Secret{secret}, map[string]Secret{"k": secret}, secret.Hash()} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
	}
	for _, value := range []any{secret, held, secret.Hash()} {
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "value", value)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "value", value)
	}
	for _, value := range []any{secret, held, map[string]any{"k": secret}, secret.Hash()} {
		if err := json.NewEncoder(&out).Encode(value); err != nil {
			t.Error(err)
		}
	}
	fmt.Fprintln(&out, fmt.Errorf("around %v: %w", secret, errors.New("x")), Invalid("%s", secret))
	for line := range strings.Lines(out.String()) {
		for _, leak := range []string{text, fmt.Sprintf("%x", text), fmt.Sprintf("%X", text), hash, fmt.Sprintf("%x", hash), fmt.Sprintf("%X", hash)} {
			if strings.Contains(line, leak) {
				t.Errorf("leaked: %s", line)
			}
		}
	}
	if !strings.Contains(out.String(), redacted) {
		t.Error("nothing was printed at all")
	}
}

func TestSecretHash(t *testing.T) {
	t.Parallel()
	a, b := NewSecret("a"), NewSecret("b")
	if !a.Hash().Matches(a) || a.Hash().Matches(b) || SecretHash("").Matches(Secret{}) {
		t.Error("a hash must match its own secret and no other")
	}
	if a.Reveal() != "a" {
		t.Errorf("Reveal gives %q", a.Reveal())
	}
	if got := len(a.Hash()); got != 64 {
		t.Errorf("a hash has %d digits, want 64", got)
	}
}
