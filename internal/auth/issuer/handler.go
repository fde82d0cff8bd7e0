package issuer

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"github.com/penstock-cloud/penstock/internal/auth"
)

// The paths of the two documents, under the issuer's URL.
const (
	DiscoveryPath = "/.well-known/openid-configuration"
	JWKSPath      = "/.well-known/jwks.json"
)

// Fail answers a request that failed; the HTTP packages have the one place
// that turns errors into statuses.
type Fail func(http.ResponseWriter, *http.Request, error)

// JWKS serves the public keys (RFC 7517, 5) at JWKSPath.
func JWKS(source auth.KeySource, fail Fail) http.Handler {
	return Publish(source, fail, func(keys *auth.KeySet) (any, error) {
		set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
		for _, id := range slices.Sorted(maps.Keys(keys.Keys)) {
			k := keys.Keys[id]
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.Public, KeyID: id, Algorithm: k.Algorithm, Use: "sig"})
		}
		return set, nil
	})
}

// Publish serves a document that is made of the keys and the issuer's URLs.
func Publish(source auth.KeySource, fail Fail, render func(*auth.KeySet) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys, err := source.Keys(r.Context())
		if err != nil {
			fail(w, r, err)
			return
		}
		doc, err := render(keys)
		if err != nil {
			fail(w, r, err)
			return
		}
		body, err := json.Marshal(doc)
		if err != nil {
			fail(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "public, max-age=10") // as fresh as our own replicas
		_, _ = w.Write(body)                                  // a client that went away is its own affair
	})
}
