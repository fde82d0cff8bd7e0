package managementapi_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

// signingKey is the key with which the plane signs, and its id.
func (w *world) signingKey() (*rsa.PrivateKey, string) {
	w.t.Helper()
	var keys []cloud.SigningKey
	w.read(func(r cloud.Reader) (err error) {
		keys, err = r.SigningKeys()
		return err
	})
	block, _ := pem.Decode([]byte(keys[0].PEM.Reveal()))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		w.t.Fatal(err)
	}
	return key.(*rsa.PrivateKey), keys[0].ID
}

// TestTokensThatDoNotHold changes a good token in one way at a time, each of
// them signed as well as its forger can.
func TestTokensThatDoNotHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	private, kid := w.signingKey()
	public, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
	good := jwt.MapClaims{
		"iss": "http://plane.example.com", "aud": auth.Audience, "sub": string(userIDs[viewer]), "jti": "t",
		"iat": start.Unix(), "exp": start.Add(time.Hour).Unix(),
	}
	with := func(change jwt.MapClaims) jwt.MapClaims {
		claims := maps.Clone(good)
		maps.Copy(claims, change)
		maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
		return claims
	}
	sign := func(method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
		t.Helper()
		token := jwt.NewWithClaims(method, claims)
		token.Header["kid"] = kid
		text, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	ask := func(token string) reply {
		return w.get(anonymous, "/user", "Authorization", "Bearer "+token)
	}
	whole := sign(jwt.SigningMethodRS256, private, good)
	ask(whole).want(http.StatusOK)
	for what, token := range map[string]string{
		"no algorithm":                        sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good),
		"HS256 with the public key as PEM":    sign(jwt.SigningMethodHS256, publicPEM, good),
		"HS256 with the public key as DER":    sign(jwt.SigningMethodHS256, public, good),
		"another algorithm for the same key":  sign(jwt.SigningMethodRS512, private, good),
		"padding that was not agreed":         sign(jwt.SigningMethodPS256, private, good),
		"no signature":                        whole[:strings.LastIndexByte(whole, '.')+1],
		"expired":                             sign(jwt.SigningMethodRS256, private, with(jwt.MapClaims{"exp": start.Add(-61 * time.Second).Unix()})),
		"no expiry":                           sign(jwt.SigningMethodRS256, private, with(jwt.MapClaims{"exp": nil})),
		"another issuer":                      sign(jwt.SigningMethodRS256, private, with(jwt.MapClaims{"iss": "https://elsewhere.example.com"})),
		"no issuer":                           sign(jwt.SigningMethodRS256, private, with(jwt.MapClaims{"iss": nil})),
		"another audience":                    sign(jwt.SigningMethodRS256, private, with(jwt.MapClaims{"aud": "elsewhere"})),
		"no audience":                         sign(jwt.SigningMethodRS256, private, with(jwt.MapClaims{"aud": nil})),
		"not yet":                             sign(jwt.SigningMethodRS256, private, with(jwt.MapClaims{"nbf": start.Add(61 * time.Second).Unix()})),
		"nobody":                              sign(jwt.SigningMethodRS256, private, with(jwt.MapClaims{"sub": nil})),
		"somebody whose account is gone":      sign(jwt.SigningMethodRS256, private, with(jwt.MapClaims{"sub": nobody})),
		"a boundary that is no organization":  sign(jwt.SigningMethodRS256, private, with(jwt.MapClaims{"org_id": "acme"})),
		"a region's credential":               "psr_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"garbage":                             "hunter2",
		"more than a token":                   whole + " " + whole,
		"a token of 16 KiB":                   strings.Repeat("x", 16<<10),
		"a token without its first character": whole[1:],
	} {
		r := ask(token).want(http.StatusUnauthorized)
		if got := r.header.Get("WWW-Authenticate"); got != `Bearer realm="penstock", error="invalid_token"` || r.message() == "" {
			t.Errorf("%s: %s with the challenge %q", what, r.body, got)
		}
	}
	for _, leeway := range []jwt.MapClaims{{"exp": start.Add(-59 * time.Second).Unix()}, {"nbf": start.Add(59 * time.Second).Unix()}} {
		ask(sign(jwt.SigningMethodRS256, private, with(leeway))).want(http.StatusOK)
	}
}

// TestTokensEnd proves that a token which was believed a moment ago is not
// believed any longer than it says.
func TestTokensEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clock.Pass(30*24*time.Hour - time.Second)
	w.get(viewer, "/user").want(http.StatusOK)
	w.clock.Pass(time.Second + time.Minute) // with the leeway
	w.get(viewer, "/user").want(http.StatusUnauthorized).says("expired")
}
