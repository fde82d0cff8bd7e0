package published

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/auth/issuer"
	"github.com/penstock-cloud/penstock/internal/auth/remote"
)

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
	keys, err := remote.ReadKeys(d.JWKS, func(alg, natural string) bool { return alg == auth.RS256 && natural == auth.RS256 })
	switch {
	case errors.Is(err, remote.ErrNoKeySet):
		return nil, fmt.Errorf("%s is not a set of keys; is this the plane's URL?", issuer.JWKSPath)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", issuer.JWKSPath, err)
	}
	return &auth.KeySet{Keys: keys, Issuers: []string{metadata.Issuer}}, nil
}
