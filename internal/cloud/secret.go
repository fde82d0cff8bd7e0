package cloud

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
)

// redacted stands wherever a secret would otherwise be printed.
const redacted = "[redacted]"

// Secret is text that must not be seen in a log, an error or a dump. Every
// way of printing it gives "[redacted]"; Reveal is the only way to the text.
//
// The text is behind a pointer, because fmt looks into unexported fields of
// other types without asking their methods. So secrets do not compare with ==.
type Secret struct{ text *string }

// NewSecret wraps text.
func NewSecret(text string) Secret { return Secret{&text} }

// DrawSecret draws 256 random bits, as text. The prefix lets scanners for leaked
// secrets know whose they are.
func DrawSecret(prefix string) Secret {
	return NewSecret(prefix + base64.RawURLEncoding.EncodeToString([]byte(DrawKey().Reveal())))
}

// DrawKey draws the 32 bytes of a key.
func DrawKey() Secret {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	return NewSecret(string(key[:]))
}

// Reveal returns the text itself, for the one place that must send or store it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String implements fmt.Stringer.
func (Secret) String() string { return redacted }

// Format implements fmt.Formatter, for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler, and with it JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Hash returns the form in which the secret is stored. Our secrets are 256
// random bits, so a plain SHA-256 cannot be reversed by guessing.
func (s Secret) Hash() SecretHash {
	sum := sha256.Sum256([]byte(s.Reveal()))
	return SecretHash(hex.EncodeToString(sum[:]))
}

// SecretHash is the stored form of a Secret: 64 hexadecimal digits.
type SecretHash string

// Matches compares in constant time.
func (h SecretHash) Matches(s Secret) bool {
	return subtle.ConstantTimeCompare([]byte(h), []byte(s.Hash())) == 1
}

// String implements fmt.Stringer: a hash of a credential is not for logs either.
func (SecretHash) String() string { return redacted }

// Format implements fmt.Formatter, for every verb.
func (SecretHash) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText implements encoding.TextMarshaler, and with it JSON.
func (SecretHash) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (SecretHash) LogValue() slog.Value { return slog.StringValue(redacted) }
