package published_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/auth/issuer"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Keys are slow to make, and these are nobody's.
var (
	rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey  = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// publish makes the plane answer a path in another way, until that is undone.
func (p *plane) publish(path string, answer http.HandlerFunc) (undo func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	former, mux := p.mux, http.NewServeMux()
	mux.Handle("/", former)
	mux.HandleFunc(path, answer)
	p.mux = mux
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.mux = former
	}
}

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
}

// What is no answer of a plane changes nothing.
func TestBadAnswersChangeNothing(t *testing.T) {
	t.Parallel()
	redirect := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://evil.example.com"+r.URL.Path, http.StatusFound)
	}
	refuses := func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusConflict) }
	twice := must(json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: &rsaKey().PublicKey, KeyID: "k", Algorithm: auth.RS256}, {Key: &rsaKey().PublicKey, KeyID: "k", Algorithm: auth.RS256},
	}}))
	for name, tt := range map[string]struct {
		path   string
		answer http.HandlerFunc
		logs   string
	}{
		"a redirect of the keys":        {issuer.JWKSPath, redirect, "is not followed"},
		"a redirect of the metadata":    {issuer.DiscoveryPath, redirect, "is not followed"},
		"keys without end":              {issuer.JWKSPath, says(`{"keys":["` + strings.Repeat("x", 512<<10) + `"]}`), "over 524288 bytes"},
		"metadata without end":          {issuer.DiscoveryPath, says(`{"issuer":"` + strings.Repeat("x", 512<<10) + `"}`), "over 524288 bytes"},
		"a refusal":                     {issuer.DiscoveryPath, refuses, "answered with 409"},
		"a page in the place of keys":   {issuer.JWKSPath, says("<html>"), "not a set of keys"},
		"something else in their place": {issuer.JWKSPath, says("{}"), "not a set of keys"},
		"no issuer":                     {issuer.DiscoveryPath, says("{}"), "does not name an issuer"},
		"two keys of one id":            {issuer.JWKSPath, says(string(twice)), "the same id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			atSite(t, func(t *testing.T, s *site) {
				token := s.plane.token(t)
				undo := s.plane.publish(tt.path, tt.answer)
				s.ends("with no keys yet", token, cloud.CodeUnavailable)
				if !strings.Contains(s.log.String(), tt.logs) {
					t.Errorf("the log does not say %q:\n%s", tt.logs, s.log.String())
				}
				undo()
				time.Sleep(5 * time.Second)
				s.ends("when all is well", token, "")
				s.plane.publish(tt.path, tt.answer)
				time.Sleep(10 * time.Minute)
				s.ends("with the last keys", token, "")
				synctest.Wait()
				for path := range s.plane.asked {
					if path != issuer.DiscoveryPath && path != issuer.JWKSPath {
						t.Errorf("%s was asked for", path)
					}
				}
			})
		})
	}
}

// Of a set only what verifies our tokens is taken, and the rest does no harm.
func TestOnlyKeysForRS256AreTaken(t *testing.T) {
	t.Parallel()
	public := &rsaKey().PublicKey
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: public, KeyID: "good", Algorithm: auth.RS256, Use: "sig"},
		{Key: public, KeyID: "good for any use", Algorithm: auth.RS256},
		{Key: public, Algorithm: auth.RS256},
		{Key: public, KeyID: "no algorithm"},
		{Key: public, KeyID: "another algorithm", Algorithm: "RS512"},
		{Key: public, KeyID: "another padding", Algorithm: "PS256"},
		{Key: public, KeyID: "another use", Algorithm: auth.RS256, Use: "enc"},
		{Key: &ecKey().PublicKey, KeyID: "another kind", Algorithm: "ES256"},
		{Key: &ecKey().PublicKey, KeyID: "another kind by a wrong name", Algorithm: auth.RS256},
		{Key: []byte("a secret that all know"), KeyID: "a shared secret", Algorithm: "HS256"},
		{Key: rsaKey(), KeyID: "private", Algorithm: auth.RS256},
	}}
	text := string(must(json.Marshal(set)))
	short := fmt.Sprintf(`{"kty":"RSA","kid":"short","alg":"RS256","e":"AQAB","n":"%s"}`, strings.Repeat("8", 171)) // 1026 bits
	long := fmt.Sprintf(`{"kty":"RSA","kid":"long","alg":"RS256","e":"AQAB","n":"%s"}`, strings.Repeat("8", 1600))  // 9600 bits
	text = strings.Replace(text, `{"keys":[`, `{"keys":[`+short+`,`+long+`,{"kty":"new"},7,null,`, 1)
	atSite(t, func(t *testing.T, s *site) {
		s.plane.publish(issuer.JWKSPath, says(text))
		got, err := s.Keys(t.Context())
		if err != nil {
			t.Fatal(cloud.Explain(err))
		}
		key := auth.Key{Algorithm: auth.RS256, Public: public}
		want := &auth.KeySet{Issuers: []string{planeURL}, Keys: map[string]auth.Key{"good": key, "good for any use": key}}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b auth.PublicKey) bool { return a.Equal(b) })); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// A plane that has withdrawn all keys is believed.
func TestNoKeysVerifyNothing(t *testing.T) {
	t.Parallel()
	atSite(t, func(t *testing.T, s *site) {
		token := s.plane.token(t)
		s.ends("before", token, "")
		s.plane.publish(issuer.JWKSPath, says(`{"keys":[]}`))
		time.Sleep(5 * time.Minute)
		s.ends("after", token, cloud.CodeUnauthenticated)
	})
}

// A set as large as a plane ever has fits.
func TestAYearOfDailyKeysFits(t *testing.T) {
	t.Parallel()
	set := jose.JSONWebKeySet{}
	for n := range 366 {
		set.Keys = append(set.Keys, jose.JSONWebKey{
			Key: &rsaKey().PublicKey, KeyID: fmt.Sprintf("%043d", n), Algorithm: auth.RS256, Use: "sig",
		})
	}
	atSite(t, func(t *testing.T, s *site) {
		s.plane.publish(issuer.JWKSPath, says(string(must(json.Marshal(set)))))
		keys, err := s.Keys(t.Context())
		if err != nil || len(keys.Keys) != 366 {
			t.Fatalf("got %v, %v", keys, cloud.Explain(err))
		}
	})
}
