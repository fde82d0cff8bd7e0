package published

import (
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/auth/issuer"
)

// minBits is the least modulus of a key, in bits: a shorter one can be broken.
// One over 4096, which makes every verification slow, go-jose does not read.
const minBits = 2048

// documents is what the plane publishes, in the form in which it is kept.
type documents struct {
	Plane     string          `json:"plane"` // the URL that it was asked at
	Discovery json.RawMessage `json:"discovery"`
	JWKS      json.RawMessage `json:"jwks"`
}

// keySet reads the documents. A set without keys is believed: nothing verifies
// then.
func (d documents) keySet() (*auth.KeySet, error) {
	var metadata struct {
		Issuer string `json:"issuer"`
	}
	if err := json.Unmarshal(d.Discovery, &metadata); err != nil || metadata.Issuer == "" {
		return nil, fmt.Errorf("%s does not name an issuer; is this the plane's URL?", issuer.DiscoveryPath)
	}
	var published struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(d.JWKS, &published); err != nil || published.Keys == nil {
		return nil, fmt.Errorf("%s is not a set of keys; is this the plane's URL?", issuer.JWKSPath)
	}
	set := &auth.KeySet{Keys: make(map[string]auth.Key, len(published.Keys)), Issuers: []string{metadata.Issuer}}
	for _, raw := range published.Keys {
		id, public := usable(raw)
		if public == nil {
			continue
		}
		if _, twice := set.Keys[id]; twice {
			return nil, errors.New("two of the plane's keys have the same id")
		}
		set.Keys[id] = auth.Key{Algorithm: auth.RS256, Public: public}
	}
	return set, nil
}

// usable reads a key, nil if it is none with which we verify: others in the
// set are not our affair (RFC 7517, 5).
func usable(raw json.RawMessage) (id string, public *rsa.PublicKey) {
	var key jose.JSONWebKey
	if err := key.UnmarshalJSON(raw); err != nil || !key.Valid() {
		return "", nil
	}
	public, ok := key.Key.(*rsa.PublicKey)
	switch {
	case !ok, key.KeyID == "", key.Algorithm != auth.RS256, key.Use != "" && key.Use != "sig",
		public.N.BitLen() < minBits:
		return "", nil
	}
	return key.KeyID, public
}

// same reports whether two sets verify the same tokens.
func same(a, b *auth.KeySet) bool {
	return slices.Equal(a.Issuers, b.Issuers) &&
		maps.EqualFunc(a.Keys, b.Keys, func(a, b auth.Key) bool { return a.Public.Equal(b.Public) })
}
