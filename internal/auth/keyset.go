package auth

import (
	"context"
	"crypto"
	"slices"
	"time"
)

// The signing algorithms (RFC 7518, 3; RFC 8037). Ours are all RS256; the others
// are for issuers elsewhere.
const (
	RS256 = "RS256" // RSASSA-PKCS1-v1_5 with SHA-256
	ES256 = "ES256" // ECDSA with P-256 and SHA-256
	EdDSA = "EdDSA" // with Ed25519
)

// PublicKey is a *rsa.PublicKey, an *ecdsa.PublicKey or an ed25519.PublicKey.
type PublicKey interface {
	Equal(other crypto.PublicKey) bool
}

// Key is a public key and what it may be used for.
type Key struct {
	Algorithm string // the only "alg" of tokens that it verifies
	Public    PublicKey
	ExpiresAt time.Time // it verifies nothing from then on; zero for never
}

// KeySet is what is needed to verify tokens, as of one reading. It is never
// changed once made: a source with other keys or issuers returns another set,
// and one with the same returns the same pointer.
type KeySet struct {
	Keys    map[string]Key // by kid
	Issuers []string       // every "iss" that is believed, the current one first
}

// KeySource brings the keys. Its errors are domain errors; CodeUnavailable
// says that the keys cannot be had now.
type KeySource interface {
	// Keys returns the set, a few seconds old at most unless its origin is away.
	Keys(ctx context.Context) (*KeySet, error)
	// Fresh returns the set after a token named a key that Keys did not have.
	// The source bounds how often that makes it ask its origin, and returns an
	// error where it could not: then nobody knows whether there is such a key.
	Fresh(ctx context.Context) (*KeySet, error)
}

func (s *KeySet) key(kid string, now time.Time) (Key, bool) {
	k, ok := s.Keys[kid]
	return k, ok && (k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt))
}

func (s *KeySet) believes(issuer string) bool {
	return issuer != "" && slices.Contains(s.Issuers, issuer)
}
