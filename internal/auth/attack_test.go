package auth_test

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/penstock-cloud/penstock/internal/auth"
)

// TestTokenAttacks sends what is good but for one thing to a plane and to a
// region, in the name of our own issuer and of one that both trust.
func TestTokenAttacks(t *testing.T) {
	t.Parallel()
	attacks := map[string]func(g forger) string{
		"wrong audience":              func(g forger) string { return g.with(jwt.MapClaims{"aud": "elsewhere"}) },
		"the other issuer's audience": func(g forger) string { return g.with(jwt.MapClaims{"aud": audienceOf(g.other)}) },
		"no audience":                 func(g forger) string { return g.with(jwt.MapClaims{"aud": nil}) },
		"wrong issuer":                func(g forger) string { return g.with(jwt.MapClaims{"iss": "https://evil.example.com"}) },
		"an issuer with a slash more": func(g forger) string { return g.with(jwt.MapClaims{"iss": g.issuer + "/"}) },
		"no issuer":                   func(g forger) string { return g.with(jwt.MapClaims{"iss": nil}) },
		"in the other issuer's name":  func(g forger) string { return g.with(jwt.MapClaims{"iss": g.other, "aud": audienceOf(g.other)}) },
		"expired":                     func(g forger) string { return g.with(jwt.MapClaims{"exp": time.Now().Add(-61 * time.Second).Unix()}) },
		"not yet valid":               func(g forger) string { return g.with(jwt.MapClaims{"nbf": time.Now().Add(61 * time.Second).Unix()}) },
		"issued in the future":        func(g forger) string { return g.with(jwt.MapClaims{"iat": time.Now().Add(61 * time.Second).Unix()}) },
		"missing expiry":              func(g forger) string { return g.with(jwt.MapClaims{"exp": nil}) },
		"no subject":                  func(g forger) string { return g.with(jwt.MapClaims{"sub": nil}) },
		"an empty subject":            func(g forger) string { return g.with(jwt.MapClaims{"sub": ""}) },
		"a subject as a list":         func(g forger) string { return g.with(jwt.MapClaims{"sub": []string{g.subject}}) },
		"somebody by another name":    func(g forger) string { return g.with(jwt.MapClaims{"sub": "ada"}) },
		"an ID token of another client": func(g forger) string {
			return g.with(jwt.MapClaims{"aud": "penstock-cli", "nonce": "n", "at_hash": "h"})
		},
		"alg none": func(g forger) string {
			return g.sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, g.claims(nil), nil)
		},
		"alg none, signed":             func(g forger) string { return g.header("alg", "none", g.key) },
		"alg None":                     func(g forger) string { return g.header("alg", "None", g.key) },
		"no alg":                       func(g forger) string { return g.header("alg", nil, g.key) },
		"HS256 with the PEM as secret": func(g forger) string { return g.sign(jwt.SigningMethodHS256, publicPEM(g), g.claims(nil), nil) },
		"HS256 with the DER as secret": func(g forger) string { return g.sign(jwt.SigningMethodHS256, publicDER(g), g.claims(nil), nil) },
		"HS256 that calls itself RS256": func(g forger) string {
			return g.sign(jwt.SigningMethodHS256, publicPEM(g), g.claims(nil), map[string]any{"alg": "RS256"})
		},
		"ES256 in the place of RS256": func(g forger) string { return g.sign(jwt.SigningMethodES256, thiefEC(), g.claims(nil), nil) },
		"ES256 that calls itself RS256": func(g forger) string {
			return g.sign(jwt.SigningMethodES256, thiefEC(), g.claims(nil), map[string]any{"alg": "RS256"})
		},
		"RS256 that calls itself ES256": func(g forger) string { return g.header("alg", "ES256", g.key) },
		"RS256 that calls itself EdDSA": func(g forger) string { return g.header("alg", "EdDSA", g.key) },
		"RS256 in the place of ES256":   func(g forger) string { return g.header("kid", "ec", g.key) },
		"RS256 in the place of EdDSA":   func(g forger) string { return g.header("kid", "ed", g.key) },
		"RS512 with the right key":      func(g forger) string { return g.sign(jwt.SigningMethodRS512, g.key, g.claims(nil), nil) },
		"PS256 with the right key":      func(g forger) string { return g.sign(jwt.SigningMethodPS256, g.key, g.claims(nil), nil) },
		"another key":                   func(g forger) string { return g.sign(jwt.SigningMethodRS256, thiefRSA(), g.claims(nil), nil) },
		"an unknown key":                func(g forger) string { return g.header("kid", "unknown", thiefRSA()) },
		"no kid":                        func(g forger) string { return g.header("kid", nil, g.key) },
		"a kid that is a path":          func(g forger) string { return g.header("kid", "../../../../dev/null", thiefRSA()) },
		"a kid that is SQL":             func(g forger) string { return g.header("kid", "' OR 1=1; DROP TABLE signing_keys; --", thiefRSA()) },
		"a kid that is a list":          func(g forger) string { return g.header("kid", []string{g.kid}, g.key) },
		"a kid with a null":             func(g forger) string { return g.header("kid", g.kid+"\x00", thiefRSA()) },
		"a critical extension":          func(g forger) string { return g.header("crit", []string{"exp"}, g.key) },
		"a key brought along in jwk": func(g forger) string {
			return g.header("jwk", jose.JSONWebKey{Key: &thiefRSA().PublicKey, KeyID: g.kid}, thiefRSA())
		},
		"a key by reference in jku":       func(g forger) string { return g.header("jku", "https://evil.example.com/keys", thiefRSA()) },
		"a certificate by reference, x5u": func(g forger) string { return g.header("x5u", "https://evil.example.com/certificate", thiefRSA()) },
		"no signature":                    func(g forger) string { return g.good()[:strings.LastIndexByte(g.good(), '.')+1] },
		"oversized":                       func(g forger) string { return g.with(jwt.MapClaims{"pad": strings.Repeat("x", auth.MaxToken)}) },
	}
	onField(t, func(t *testing.T, f *field) {
		for of, g := range f.forgers() {
			f.opens(of+" issuer's, good", g.good(), http.StatusOK)
			for name, forge := range attacks {
				f.opens(of+" issuer's, "+name, forge(g), http.StatusUnauthorized)
			}
			f.opens(of+" issuer's, good after all", g.good(), http.StatusOK)
		}
		if n := f.net.count("evil.example.com"); n != 0 {
			t.Errorf("a token made us ask its maker %d times", n)
		}
	})
}

func audienceOf(issuer string) string {
	if issuer == planeURL {
		return auth.Audience
	}
	return foreign
}

func publicDER(g forger) []byte { return must(x509.MarshalPKIXPublicKey(&g.key.PublicKey)) }

func publicPEM(g forger) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: publicDER(g)})
}

// What a header says of where a key is changes nothing for a token that holds.
func TestHeadersThatPointToKeysAreIgnored(t *testing.T) {
	t.Parallel()
	onField(t, func(t *testing.T, f *field) {
		for of, g := range f.forgers() {
			for name, value := range map[string]any{
				"jku": "https://evil.example.com/keys", "x5u": "https://evil.example.com/certificate",
				"jwk": jose.JSONWebKey{Key: &thiefRSA().PublicKey, KeyID: g.kid},
			} {
				f.opens(of+" issuer's with "+name, g.header(name, value, g.key), http.StatusOK)
			}
		}
		if n := f.net.count("evil.example.com"); n != 0 {
			t.Errorf("a token made us ask elsewhere %d times", n)
		}
	})
}

// A trusted issuer's ID token for the very audience that its access tokens have
// is no access token all the same.
func TestAnIDTokenIsNoAccessToken(t *testing.T) {
	t.Parallel()
	onField(t, func(_ *testing.T, f *field) {
		g := f.forgers()["trusted"]
		for _, claim := range []string{"nonce", "at_hash", "c_hash"} {
			f.opens("with "+claim, g.with(jwt.MapClaims{claim: "x"}), http.StatusUnauthorized)
		}
	})
}

func TestATrustedIssuersAlgorithms(t *testing.T) {
	t.Parallel()
	onField(t, func(_ *testing.T, f *field) {
		g := f.forgers()["trusted"]
		f.opens("RS256", g.good(), http.StatusOK)
		f.opens("ES256", g.sign(jwt.SigningMethodES256, loginEC(), g.claims(nil), map[string]any{"kid": "ec"}), http.StatusOK)
		f.opens("EdDSA", g.sign(jwt.SigningMethodEdDSA, loginEd(), g.claims(nil), map[string]any{"kid": "ed"}), http.StatusOK)
		f.opens("ES256 with another's key", g.sign(jwt.SigningMethodES256, thiefEC(), g.claims(nil), map[string]any{"kid": "ec"}), http.StatusUnauthorized)
	})
}

// However many tokens name keys that there are not, their issuers do not notice.
func TestAFloodOfUnknownKeys(t *testing.T) {
	t.Parallel()
	onField(t, func(t *testing.T, f *field) {
		forgers := f.forgers()
		for n := range 120 {
			for of, g := range forgers {
				f.opens(of+" issuer's", g.header("kid", fmt.Sprint("unknown-", n), thiefRSA()), http.StatusUnauthorized)
			}
			time.Sleep(time.Second)
		}
		// At first, and a minute later, by each of plane and region.
		if n := f.net.count(loginHost + "/keys"); n < 2 || n > 4 {
			t.Errorf("the trusted issuer was asked for its keys %d times in two minutes", n)
		}
		if n := f.net.count(planeHost + "/.well-known/jwks.json"); n < 1 || n > 25 {
			t.Errorf("the plane was asked for its keys %d times in two minutes by a region", n)
		}
		for of, g := range forgers {
			f.opens(of+" issuer's, good, after it", g.good(), http.StatusOK)
		}
	})
}

// A key that its issuer has withdrawn verifies for ten minutes at most, and no
// longer once a token with another key came.
func TestAWithdrawnKeyOfATrustedIssuer(t *testing.T) {
	t.Parallel()
	newKey := jose.JSONWebKey{Key: &secondRSA().PublicKey, KeyID: "second"}
	for name, meanwhile := range map[string]func(f *field, g forger){
		"nobody calls": func(*field, forger) { time.Sleep(10 * time.Minute) },
		"it is used all the time": func(f *field, g forger) {
			for range 20 {
				time.Sleep(30 * time.Second)
				for _, url := range places {
					f.ask(http.MethodGet, url, g.good(), "")
				}
				synctest.Wait()
			}
		},
		"the new key comes": func(f *field, g forger) {
			time.Sleep(time.Minute)
			f.opens("with the new key", g.sign(jwt.SigningMethodRS256, secondRSA(), g.claims(nil), map[string]any{"kid": "second"}), http.StatusOK)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onField(t, func(_ *testing.T, f *field) {
				g := f.forgers()["trusted"]
				stolen := g.good()
				f.opens("before", stolen, http.StatusOK)
				f.login.publish(newKey)
				meanwhile(f, g)
				f.opens("after", stolen, http.StatusUnauthorized)
			})
		})
	}
}

// While the key server is down the keys that are known go on verifying, for a
// day; nobody is called a stranger because of it.
func TestTheKeyServerIsDown(t *testing.T) {
	t.Parallel()
	onField(t, func(_ *testing.T, f *field) {
		g := f.forgers()["trusted"]
		f.net.cut(loginHost, true)
		f.opens("with an issuer never seen", g.good(), http.StatusServiceUnavailable)
		f.opens("our own meanwhile", f.forgers()["our own"].good(), http.StatusOK)
		f.net.cut(loginHost, false)
		time.Sleep(time.Minute)
		f.opens("when it is there", g.good(), http.StatusOK)
		f.net.cut(loginHost, true)
		time.Sleep(23 * time.Hour)
		f.opens("down for 23 hours", g.good(), http.StatusOK)
		time.Sleep(time.Minute)
		f.opens("down, an unknown key", g.header("kid", "unknown", thiefRSA()), http.StatusServiceUnavailable)
		time.Sleep(time.Hour)
		f.opens("down for over a day", g.good(), http.StatusServiceUnavailable)
		f.net.cut(loginHost, false)
		time.Sleep(time.Minute)
		f.opens("when it is back", g.good(), http.StatusOK)
	})
}

// A redirect of the keys to another host is not followed, and those that were
// known go on.
func TestKeysThatAreRedirectedElsewhere(t *testing.T) {
	t.Parallel()
	onField(t, func(t *testing.T, f *field) {
		g := f.forgers()["trusted"]
		f.net.hosts["evil.example.com"] = &login{keys: []jose.JSONWebKey{{Key: &thiefRSA().PublicKey, KeyID: "thief"}}}
		f.opens("before", g.good(), http.StatusOK)
		f.login.redirect = "https://evil.example.com/keys"
		time.Sleep(time.Hour)
		f.opens("the thief's", g.header("kid", "thief", thiefRSA()), http.StatusServiceUnavailable)
		f.opens("known before", g.good(), http.StatusOK)
		if n := f.net.count("evil.example.com"); n != 0 {
			t.Errorf("the other host was asked %d times", n)
		}
	})
}

// A trusted issuer speaks for the organizations that the operator names, and for
// nobody's account.
func TestATrustedIssuersBoundary(t *testing.T) {
	t.Parallel()
	onField(t, func(t *testing.T, f *field) {
		theirs, ours := f.forgers()["trusted"].good(), f.forgers()["our own"].good()
		for place, url := range places {
			for name, c := range map[string]struct {
				token, organization string
				want                int
			}{
				"acme":                         {theirs, string(f.acme), http.StatusOK},
				"globex":                       {theirs, string(f.globex), http.StatusForbidden},
				"the only one within":          {theirs, "", http.StatusOK},
				"globex with our own":          {ours, string(f.globex), http.StatusOK},
				"none of several with our own": {ours, "", http.StatusBadRequest},
			} {
				var headers []string
				if c.organization != "" {
					headers = []string{"X-ORG-ID", c.organization}
				}
				if got, answer := f.ask(http.MethodGet, url, c.token, "", headers...); got != c.want {
					t.Errorf("%s: %s answers %d, want %d: %s", name, place, got, c.want, answer)
				}
			}
		}
		const api = planeURL + "/api/v1alpha1"
		if status, answer := f.ask(http.MethodGet, api+"/organizations", theirs, ""); status != http.StatusOK ||
			!strings.Contains(answer, string(f.acme)) || strings.Contains(answer, string(f.globex)) {
			t.Errorf("the organizations are %d: %s", status, answer)
		}
		key := `{"name":"laptop","key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPl0ovI5WxN4bGwHoLhGfJXxR4SbaP2yCQjgZAYbDeB"}`
		if status, answer := f.ask(http.MethodPost, api+"/user/keys", theirs, key); status != http.StatusForbidden {
			t.Errorf("a key for all of ada's organizations is answered with %d: %s", status, answer)
		}
		if status, answer := f.ask(http.MethodPost, api+"/user/keys", ours, key); status >= 300 {
			t.Errorf("with our own token it is answered with %d: %s", status, answer)
		}
	})
}

// What is taken away holds on the next request at the plane, and within a minute
// in a region; what is known goes on for reading while the plane is away.
func TestWhoIsUnlinkedIsOut(t *testing.T) {
	t.Parallel()
	onField(t, func(t *testing.T, f *field) {
		token := f.forgers()["trusted"].good()
		f.opens("before", token, http.StatusOK)
		if n := f.net.count(planeHost + "/federation/v1alpha1/identities"); n != 1 {
			t.Errorf("the region asked whose it is %d times", n)
		}
		f.net.cut(planeHost, true)
		time.Sleep(10 * time.Hour)
		if got, answer := f.ask(http.MethodGet, places["the region"], token, "", "X-ORG-ID", string(f.acme)); got != http.StatusOK {
			t.Errorf("with the plane away the region answers %d: %s", got, answer)
		}
		f.net.cut(planeHost, false)
		time.Sleep(time.Minute)
		f.opens("with the plane back", token, http.StatusOK)
		must(f.use.UnlinkIdentity(t.Context(), loginURL, subject))
		if got, _ := f.ask(http.MethodGet, places["the plane"], token, "", "X-ORG-ID", string(f.acme)); got != http.StatusUnauthorized {
			t.Errorf("the plane answers %d at once", got)
		}
		time.Sleep(time.Minute)
		f.opens("after a minute", token, http.StatusUnauthorized)
	})
}
