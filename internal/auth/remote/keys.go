package remote

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"github.com/penstock-cloud/penstock/internal/auth"
)

// minBits is the least modulus of a key, in bits: a shorter one can be broken.
// One over 4096, which makes every verification slow, go-jose does not read.
const minBits = 2048

// ErrNoKeySet says that a document is something else.
var ErrNoKeySet = errors.New("not a set of keys")

// ReadKeys reads a JWK Set (RFC 7517, 5) as far as its keys verify tokens: by one
// of the algorithms that named takes, which is given the key's own "alg", "" for
// none, and the one by its type. Other keys in the set are not our affair.
func ReadKeys(set []byte, named func(alg, natural string) bool) (map[string]auth.Key, error) {
	var published struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(set, &published); err != nil || published.Keys == nil {
		return nil, ErrNoKeySet
	}
	keys := make(map[string]auth.Key, len(published.Keys))
	for _, raw := range published.Keys {
		id, key, ok := usable(raw, named)
		if !ok {
			continue
		}
		if _, twice := keys[id]; twice {
			return nil, errors.New("two of the keys have the same id")
		}
		keys[id] = key
	}
	return keys, nil
}

func usable(raw json.RawMessage, named func(alg, natural string) bool) (id string, _ auth.Key, ok bool) {
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(raw); err != nil || !jwk.Valid() {
		return "", auth.Key{}, false
	}
	key, ok := natural(jwk.Key)
	if !ok || jwk.KeyID == "" || jwk.Use != "" && jwk.Use != "sig" || !named(jwk.Algorithm, key.Algorithm) {
		return "", auth.Key{}, false
	}
	return jwk.KeyID, key, true
}

// natural is a public key with the algorithm that goes with its type. Secret and
// private keys, which nobody publishes who knows what they are, are none.
func natural(key any) (auth.Key, bool) {
	switch public := key.(type) {
	case *rsa.PublicKey:
		return auth.Key{Algorithm: auth.RS256, Public: public}, public.N.BitLen() >= minBits
	case *ecdsa.PublicKey:
		return auth.Key{Algorithm: auth.ES256, Public: public}, public.Curve == elliptic.P256()
	case ed25519.PublicKey:
		return auth.Key{Algorithm: auth.EdDSA, Public: public}, true
	default:
		return auth.Key{}, false
	}
}

// Same reports whether two sets verify the same tokens.
func Same(a, b *auth.KeySet) bool {
	return slices.Equal(a.Issuers, b.Issuers) && maps.EqualFunc(a.Keys, b.Keys, func(a, b auth.Key) bool {
		return a.Algorithm == b.Algorithm && a.Public.Equal(b.Public)
	})
}
