package issuer

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

// The paths of the two documents, under the issuer's URL.
const (
	DiscoveryPath = "/.well-known/openid-configuration"
	JWKSPath      = "/.well-known/jwks.json"
)

// Fail answers a request that failed; the HTTP packages have the one place
// that turns errors into statuses.
type Fail func(http.ResponseWriter, *http.Request, error)

// discovery is what is true of the issuer among the metadata of OpenID Connect
// Discovery 1.0, 3. There is no authorization endpoint yet, so none is named;
// the types are those that verifiers expect of an issuer of signed tokens.
type discovery struct {
	Issuer        string   `json:"issuer"`
	JWKSURI       string   `json:"jwks_uri"`
	ResponseTypes []string `json:"response_types_supported"`
	SubjectTypes  []string `json:"subject_types_supported"`
	Algorithms    []string `json:"id_token_signing_alg_values_supported"`
}

// Discovery serves the issuer's metadata at DiscoveryPath.
func Discovery(source auth.KeySource, fail Fail) http.Handler {
	return document(source, fail, func(keys *auth.KeySet) (any, error) {
		if len(keys.Issuers) == 0 {
			return nil, cloud.Conflict("this control plane has no URL yet")
		}
		issuer := keys.Issuers[0]
		return discovery{
			Issuer:        issuer,
			JWKSURI:       strings.TrimSuffix(issuer, "/") + JWKSPath,
			ResponseTypes: []string{"id_token"},
			SubjectTypes:  []string{"public"},
			Algorithms:    []string{auth.RS256},
		}, nil
	})
}

// JWKS serves the public keys (RFC 7517, 5) at JWKSPath.
func JWKS(source auth.KeySource, fail Fail) http.Handler {
	return document(source, fail, func(keys *auth.KeySet) (any, error) {
		set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
		for _, id := range slices.Sorted(maps.Keys(keys.Keys)) {
			k := keys.Keys[id]
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.Public, KeyID: id, Algorithm: k.Algorithm, Use: "sig"})
		}
		return set, nil
	})
}

func document(source auth.KeySource, fail Fail, render func(*auth.KeySet) (any, error)) http.Handler {
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
