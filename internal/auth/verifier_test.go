package auth

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

const (
	userID  = "0198a1b2-0000-7000-8000-000000000001"
	orgID   = "0198a1b2-0000-7000-8000-000000000002"
	current = "https://cloud.example.com"
	former  = "http://127.0.0.1:8080"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Keys are slow to make, and these are nobody's.
var (
	ourKey     = sync.OnceValue(newKey)
	anotherKey = sync.OnceValue(newKey)
)

func newKey() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
}

// source is a KeySource in the hands of a test.
type source struct {
	mu          sync.Mutex
	keys, fresh *KeySet
	err         error // of Keys
	freshErr    error
	asked       int // how often Fresh was
}

func (s *source) Keys(context.Context) (*KeySet, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys, s.err
}

func (s *source) Fresh(context.Context) (*KeySet, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.fresh != nil {
		s.keys = s.fresh
	}
	return s.keys, s.freshErr
}

func keySet(keys map[string]Key) *KeySet {
	return &KeySet{Keys: keys, Issuers: []string{current, former}}
}

func ours() *KeySet {
	return keySet(map[string]Key{"ours": {Algorithm: RS256, Public: &ourKey().PublicKey}})
}

// clock is a time that tests move.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func newVerifier(s *source) (*Verifier, *clock) {
	c := &clock{now: start}
	return NewVerifier(s, c.Now), c
}

// good is a payload that is accepted for an hour from start.
func good(change ...map[string]any) map[string]any {
	claims := map[string]any{
		"jti": "token-1", "iss": current, "sub": userID, "aud": Audience,
		"iat": start.Unix(), "exp": start.Add(time.Hour).Unix(),
	}
	for _, c := range change {
		maps.Copy(claims, c)
	}
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == absent })
	return claims
}

const absent = "(absent)"

func goodHeader() map[string]any { return map[string]any{"alg": "RS256", "typ": "JWT", "kid": "ours"} }

func segment(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// sign signs with RS256 whatever the header says.
func sign(key *rsa.PrivateKey, header, claims any) string {
	text := segment(header) + "." + segment(claims)
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func signWith(method jwt.SigningMethod, key any, header, claims any) string {
	text := segment(header) + "." + segment(claims)
	sig, err := method.Sign(text, key)
	if err != nil {
		panic(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func hs256(secret []byte, header, claims any) string {
	text := segment(header) + "." + segment(claims)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func with(name string, value any) map[string]any {
	h := goodHeader()
	if value == absent {
		delete(h, name)
	} else {
		h[name] = value
	}
	return h
}

func TestVerifyAccepts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		claims map[string]any
		want   cloud.Principal
	}{
		"a plain token":            {good(), cloud.Principal{UserID: userID, TokenID: "token-1"}},
		"bound to an organization": {good(map[string]any{"org_id": orgID}), cloud.Principal{UserID: userID, OrganizationID: orgID, TokenID: "token-1"}},
		"a highest role":           {good(map[string]any{"max_role": "viewer"}), cloud.Principal{UserID: userID, MaxRole: cloud.RoleViewer, TokenID: "token-1"}},
		"a personal token": {
			good(map[string]any{"personal": true, "org_id": orgID, "max_role": "editor"}),
			cloud.Principal{UserID: userID, OrganizationID: orgID, MaxRole: cloud.RoleEditor, Personal: true, TokenID: "token-1"},
		},
		"an access token of OAuth": {good(map[string]any{"client_id": "penstock-cli", "scope": "openid"}), cloud.Principal{UserID: userID, TokenID: "token-1"}},
		"a former issuer URL":      {good(map[string]any{"iss": former}), cloud.Principal{UserID: userID, TokenID: "token-1"}},
		"several audiences":        {good(map[string]any{"aud": []string{"other", Audience}}), cloud.Principal{UserID: userID, TokenID: "token-1"}},
		"no jti":                   {good(map[string]any{"jti": absent}), cloud.Principal{UserID: userID}},
		"a subject in upper case":  {good(map[string]any{"sub": strings.ToUpper(userID)}), cloud.Principal{UserID: userID, TokenID: "token-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, _ := newVerifier(&source{keys: ours()})
			token := sign(ourKey(), goodHeader(), c.claims)
			for range 2 { // the second time from the cache
				got, err := v.Verify(t.Context(), token)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func TestVerifyRefusesAttacks(t *testing.T) {
	t.Parallel()
	der, err := x509.MarshalPKIXPublicKey(&ourKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := x509.MarshalPKCS1PublicKey(&ourKey().PublicKey)
	pemOf := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	claim := func(name string, value any) string {
		return sign(ourKey(), goodHeader(), good(map[string]any{name: value}))
	}
	valid := sign(ourKey(), goodHeader(), good())
	head, rest, _ := strings.Cut(valid, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	pad := strings.Repeat("x", MaxToken)

	const (
		noSignature = "signature does not hold"
		algorithm   = "must be signed with RS256"
		malformed   = "not a well-formed JWT"
		unknownKey  = "unknown or withdrawn"
		noKid       = "does not name its key (kid)"
		issuer      = "another issuer"
		required    = "must have an expiry (exp) and an audience (aud)"
		expired     = "has expired"
		subject     = "subject (sub) is not the UUID"
		org         = "organization (org_id) is not a UUID"
		highest     = "highest role (max_role) is not a role"
		bytes       = "a token has 1 to 8192 bytes"
	)
	attacks := map[string]struct{ token, want string }{
		"expired":                    {claim("exp", start.Add(-time.Hour).Unix()), expired},
		"expiry at the epoch":        {claim("exp", 0), expired},
		"expiry before all time":     {claim("exp", -1e18), expired},
		"expiry as text":             {claim("exp", "tomorrow"), malformed},
		"missing exp":                {claim("exp", absent), required},
		"null exp":                   {claim("exp", nil), required},
		"not yet valid":              {claim("nbf", start.Add(time.Hour).Unix()), "not valid yet"},
		"issued in the future":       {claim("iat", start.Add(time.Hour).Unix()), "issued in the future"},
		"missing iss":                {claim("iss", absent), issuer},
		"empty iss":                  {claim("iss", ""), issuer},
		"foreign issuer":             {claim("iss", "https://evil.example.com"), issuer},
		"issuer with a slash more":   {claim("iss", current+"/"), issuer},
		"issuer as a list":           {claim("iss", []string{current}), malformed},
		"wrong audience":             {claim("aud", "another-api"), "not for this API"},
		"audience in capitals":       {claim("aud", "PENSTOCK"), "not for this API"},
		"missing audience":           {claim("aud", absent), required},
		"empty audience":             {claim("aud", []string{}), required},
		"subject not a UUID":         {claim("sub", "admin"), subject},
		"subject missing":            {claim("sub", absent), subject},
		"subject a URN":              {claim("sub", "urn:uuid:"+userID), subject},
		"organization not a UUID":    {claim("org_id", "acme"), org},
		"organization empty":         {claim("org_id", ""), org},
		"a highest role unknown":     {claim("max_role", "owner"), highest},
		"a highest role in capitals": {claim("max_role", "Viewer"), highest},
		"a highest role empty":       {claim("max_role", ""), highest},
		"a highest role as a list":   {claim("max_role", []string{"viewer"}), malformed},
		"personal as text":           {claim("personal", "true"), malformed},
		"personal as a number":       {claim("personal", 1), malformed},
		"personal without jti":       {sign(ourKey(), goodHeader(), good(map[string]any{"personal": true, "jti": absent})), "must have an id (jti)"},
		"an ID token":                {sign(ourKey(), goodHeader(), good(map[string]any{"aud": []string{"penstock-cli"}, "azp": "penstock-cli", "nonce": "n"})), "not for this API"},

		"missing kid":               {sign(ourKey(), with("kid", absent), good()), noKid},
		"empty kid":                 {sign(ourKey(), with("kid", ""), good()), noKid},
		"kid not a string":          {sign(ourKey(), with("kid", 7), good()), noKid},
		"unknown kid":               {sign(anotherKey(), with("kid", "theirs"), good()), unknownKey},
		"unknown kid, our key":      {sign(ourKey(), with("kid", "theirs"), good()), unknownKey},
		"our kid, another key":      {sign(anotherKey(), goodHeader(), good()), noSignature},
		"key brought along in jwk":  {sign(anotherKey(), with("jwk", map[string]any{"kty": "RSA", "n": base64.RawURLEncoding.EncodeToString(anotherKey().N.Bytes()), "e": "AQAB"}), good()), noSignature},
		"key by reference in jku":   {sign(anotherKey(), with("jku", "https://evil.example.com/jwks.json"), good()), noSignature},
		"critical header extension": {sign(ourKey(), with("crit", []string{"b64"}), good()), "extension (crit)"},
		"expired key":               {sign(ourKey(), with("kid", "expired"), good()), unknownKey},
		"key of another algorithm":  {sign(ourKey(), with("kid", "rs512"), good()), "algorithm that is not its key's"},

		"HS256, the key's PEM as secret":         {hs256(pemOf("PUBLIC KEY", der), with("alg", "HS256"), good()), algorithm},
		"HS256, the key's DER as secret":         {hs256(der, with("alg", "HS256"), good()), algorithm},
		"HS256, the key's PKCS #1 PEM as secret": {hs256(pemOf("RSA PUBLIC KEY", pkcs1), with("alg", "HS256"), good()), algorithm},
		"HS256, the key's PKCS #1 DER as secret": {hs256(pkcs1, with("alg", "HS256"), good()), algorithm},
		"HS256, the key's modulus as secret":     {hs256(ourKey().N.Bytes(), with("alg", "HS256"), good()), algorithm},
		"HS256, no secret":                       {hs256(nil, with("alg", "HS256"), good()), algorithm},
		"HS256 that calls itself RS256":          {hs256(pemOf("PUBLIC KEY", der), goodHeader(), good()), noSignature},
		"RS512 with the right key":               {signWith(jwt.SigningMethodRS512, ourKey(), with("alg", "RS512"), good()), algorithm},
		"RS384 with the right key":               {signWith(jwt.SigningMethodRS384, ourKey(), with("alg", "RS384"), good()), algorithm},
		"PS256 with the right key":               {signWith(jwt.SigningMethodPS256, ourKey(), with("alg", "PS256"), good()), algorithm},
		"PS256 that calls itself RS256":          {signWith(jwt.SigningMethodPS256, ourKey(), goodHeader(), good()), noSignature},
		"alg in lower case":                      {sign(ourKey(), with("alg", "rs256"), good()), algorithm},
		"alg missing":                            {sign(ourKey(), with("alg", absent), good()), algorithm},
		"alg a list":                             {sign(ourKey(), with("alg", []string{"RS256"}), good()), algorithm},

		"tampered payload":      {head + "." + segment(good(map[string]any{"sub": orgID})) + "." + signature, noSignature},
		"tampered header":       {segment(with("typ", "at+jwt")) + "." + payload + "." + signature, noSignature},
		"signature missing":     {head + "." + payload + ".", noSignature},
		"signature of nulls":    {head + "." + payload + "." + strings.Repeat("A", len(signature)), noSignature},
		"signature cut short":   {valid[:len(valid)-2], noSignature},
		"signature made longer": {valid + "AAAA", noSignature},
		// The last character of 256 bytes in base64url has four bits to spare:
		// a second spelling of the same signature.
		"signature spelt otherwise":     {valid[:len(valid)-1] + spareBits(valid[len(valid)-1]), malformed},
		"cut in the payload":            {head + "." + payload[:len(payload)/2], malformed},
		"empty":                         {"", bytes},
		"oversized":                     {sign(ourKey(), goodHeader(), good(map[string]any{"pad": pad})), bytes},
		"one dot":                       {".", malformed},
		"only dots":                     {"..", malformed},
		"a part too many":               {valid + ".x", malformed},
		"a JWE's five parts":            {"a.b.c.d.e", malformed},
		"garbage":                       {"correct horse battery staple", malformed},
		"not base64url":                 {"!!." + payload + "." + signature, malformed},
		"padded":                        {head + "==." + payload + "." + signature, malformed},
		"a line break in the payload":   {head + ".\n" + payload + "." + signature, malformed},
		"a line break in the signature": {valid[:len(valid)-9] + "\r\n" + valid[len(valid)-9:], malformed},
		"white space around":            {" " + valid + " ", malformed},
		"control characters":            {"\x00.\x01.\xff", malformed},
		"header null":                   {segment(nil) + "." + payload + "." + signature, algorithm},
		"payload null":                  {sign(ourKey(), goodHeader(), nil), required},
		"payload a list":                {sign(ourKey(), goodHeader(), []string{}), malformed},
	}
	for _, none := range []string{"none", "None", "NONE", "nOnE", "none ", ""} {
		for kind, sig := range map[string]string{"without signature": "", "with the signature": signature} {
			attacks[fmt.Sprintf("alg %q %s", none, kind)] = struct{ token, want string }{
				segment(with("alg", none)) + "." + payload + "." + sig, algorithm,
			}
		}
	}

	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keys := ours()
			keys.Keys["expired"] = Key{Algorithm: RS256, Public: &ourKey().PublicKey, ExpiresAt: start}
			keys.Keys["rs512"] = Key{Algorithm: "RS512", Public: &ourKey().PublicKey}
			v, _ := newVerifier(&source{keys: keys})
			for range 2 { // a refusal is not made good by asking again
				p, err := v.Verify(t.Context(), attack.token)
				if cloud.CodeOf(err) != cloud.CodeUnauthenticated {
					t.Fatalf("got %+v, %v; want %s", p, err, cloud.CodeUnauthenticated)
				}
				if !cmp.Equal(p, cloud.Principal{}) {
					t.Errorf("a refusal came with the principal %+v", p)
				}
				if !strings.Contains(err.Error(), attack.want) {
					t.Errorf("got %q; want a message with %q", err, attack.want)
				}
				for part := range strings.SplitSeq(attack.token, ".") {
					if len(part) > 8 && strings.Contains(err.Error(), part) {
						t.Errorf("the message %q repeats the token", err)
					}
				}
			}
			if n := v.cache.Len(); n != 0 {
				t.Errorf("%d refused tokens are in the cache", n)
			}
		})
	}
}

// spareBits returns a base64url character with another spare bit.
func spareBits(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, c)^1])
}

func TestVerifyLeeway(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		claims map[string]any
		at     time.Time
		want   string // "" if good
	}{
		"just before the leeway after exp ends":   {good(), start.Add(time.Hour + Leeway - 1), ""},
		"exactly when the leeway after exp ends":  {good(), start.Add(time.Hour + Leeway), "has expired"},
		"exactly when the leeway before nbf is":   {good(map[string]any{"nbf": start.Unix()}), start.Add(-Leeway), ""},
		"just before the leeway before nbf is":    {good(map[string]any{"nbf": start.Add(time.Minute).Unix()}), start.Add(-1), "not valid yet"},
		"exactly when the leeway before iat is":   {good(), start.Add(-Leeway), ""},
		"just before the leeway before iat is":    {good(), start.Add(-Leeway - 1), "issued in the future"},
		"a leeway of exactly 60 seconds, and one": {good(map[string]any{"iat": start.Add(61 * time.Second).Unix()}), start, "issued in the future"},
		"a leeway of exactly 60 seconds":          {good(map[string]any{"iat": start.Add(60 * time.Second).Unix()}), start, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, clock := newVerifier(&source{keys: ours()})
			clock.now = c.at
			_, err := v.Verify(t.Context(), sign(ourKey(), goodHeader(), c.claims))
			checkRefusal(t, err, c.want)
		})
	}
}

func checkRefusal(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("got %v; want it accepted", err)
	case want != "" && (cloud.CodeOf(err) != cloud.CodeUnauthenticated || !strings.Contains(err.Error(), want)):
		t.Errorf("got %v; want %s with %q", err, cloud.CodeUnauthenticated, want)
	}
}

// What was verified once holds only as long as it would be verified again.
func TestVerifyForgetsWhatNoLongerHolds(t *testing.T) {
	t.Parallel()
	token := sign(ourKey(), goodHeader(), good())
	for name, c := range map[string]struct {
		keyEnds time.Time
		change  func(*source, *clock)
		want    string
	}{
		"the token expired": {
			change: func(_ *source, c *clock) { c.now = start.Add(time.Hour + Leeway) },
			want:   "has expired",
		},
		"the key expired": {
			keyEnds: start.Add(30 * time.Minute),
			change:  func(_ *source, c *clock) { c.now = start.Add(30 * time.Minute) },
			want:    "unknown or withdrawn",
		},
		"the key was withdrawn": {
			change: func(s *source, _ *clock) { s.keys = keySet(nil) },
			want:   "unknown or withdrawn",
		},
		"another key has the same kid": {
			change: func(s *source, _ *clock) {
				s.keys = keySet(map[string]Key{"ours": {Algorithm: RS256, Public: &anotherKey().PublicKey}})
			},
			want: "signature does not hold",
		},
		"the issuer is no longer believed": {
			change: func(s *source, _ *clock) { s.keys = &KeySet{Keys: s.keys.Keys, Issuers: []string{former}} },
			want:   "another issuer",
		},
		"the clock stepped back": {
			change: func(_ *source, c *clock) { c.now = start.Add(-time.Hour) },
			want:   "issued in the future",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &source{keys: keySet(map[string]Key{
				"ours": {Algorithm: RS256, Public: &ourKey().PublicKey, ExpiresAt: c.keyEnds},
			})}
			v, clock := newVerifier(s)
			for range 2 {
				if _, err := v.Verify(t.Context(), token); err != nil {
					t.Fatal(err)
				}
			}
			c.change(s, clock)
			_, err := v.Verify(t.Context(), token)
			checkRefusal(t, err, c.want)
		})
	}
}

// The cache really is used, and for no longer than it may be.
func TestCacheLifetime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		claims  map[string]any
		expires time.Time // of the key
		want    time.Time
	}{
		"60 seconds":               {good(), time.Time{}, start.Add(60 * time.Second)},
		"the end of the token":     {good(map[string]any{"exp": start.Add(-50 * time.Second).Unix()}), time.Time{}, start.Add(10 * time.Second)},
		"the end of the key":       {good(), start.Add(5 * time.Second), start.Add(5 * time.Second)},
		"a key that ends later on": {good(), start.Add(time.Hour), start.Add(60 * time.Second)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, _ := newVerifier(&source{keys: keySet(map[string]Key{
				"ours": {Algorithm: RS256, Public: &ourKey().PublicKey, ExpiresAt: c.expires},
			})})
			token := sign(ourKey(), goodHeader(), c.claims)
			if _, err := v.Verify(t.Context(), token); err != nil {
				t.Fatal(err)
			}
			e, ok := v.cache.Get(sha256.Sum256([]byte(token)))
			if !ok || !e.to.Equal(c.want) {
				t.Errorf("got an entry (%v) until %v; want %v", ok, e.to, c.want)
			}
			// A mark shows that the entry is what answers.
			e.principal.TokenID = "from the cache"
			v.cache.Add(sha256.Sum256([]byte(token)), e)
			if p, err := v.Verify(t.Context(), token); err != nil || p.TokenID != "from the cache" {
				t.Errorf("got %+v, %v; want the cache's answer", p, err)
			}
		})
	}
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	v, _ := newVerifier(&source{keys: ours()})
	for i := range cacheEntries + 10 {
		v.cache.Add(sha256.Sum256(fmt.Append(nil, i)), verified{})
	}
	if n := v.cache.Len(); n != cacheEntries {
		t.Errorf("got %d entries; want %d", n, cacheEntries)
	}
}

func TestVerifyAsksAgainForAnUnknownKey(t *testing.T) {
	t.Parallel()
	s := &source{keys: keySet(nil), fresh: ours()}
	v, _ := newVerifier(s)
	token := sign(ourKey(), goodHeader(), good())
	for range 3 {
		if _, err := v.Verify(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	if s.asked != 1 {
		t.Errorf("asked the source again %d times; want once", s.asked)
	}
}

// Nobody is called a stranger because our database is away.
func TestVerifyPassesTheSourcesErrorsOn(t *testing.T) {
	t.Parallel()
	token := sign(ourKey(), goodHeader(), good())
	for _, failure := range []error{cloud.Unavailable(errors.New("database is away")), errors.New("a bug")} {
		for name, s := range map[string]*source{
			"Keys":  {err: failure},
			"Fresh": {keys: keySet(nil), freshErr: failure},
		} {
			v, _ := newVerifier(s)
			if _, err := v.Verify(t.Context(), token); err != failure { //nolint:errorlint // the very same
				t.Errorf("%s: got %v; want %v itself", name, err, failure)
			}
		}
	}
}

func TestVerifyConcurrently(t *testing.T) {
	t.Parallel()
	s := &source{keys: ours()}
	v, _ := newVerifier(s)
	tokens := make([]string, 4)
	for i := range tokens {
		tokens[i] = sign(ourKey(), goodHeader(), good(map[string]any{"jti": fmt.Sprint(i)}))
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				n := (g + i) % len(tokens)
				if g == 0 && i%10 == 0 {
					s.mu.Lock()
					s.keys = ours() // a new set: every entry is void
					s.mu.Unlock()
				}
				p, err := v.Verify(t.Context(), tokens[n])
				if err != nil || p.TokenID != fmt.Sprint(n) {
					t.Errorf("got %+v, %v; want token %d", p, err, n)
				}
			}
		})
	}
	wg.Wait()
}

// FuzzVerify looks for a token that is believed although nobody signed it, and
// for a panic: in raw text, in a good token with a part overwritten, and in
// what stands in a token that is well signed.
func FuzzVerify(f *testing.F) {
	v, _ := newVerifier(&source{keys: ours()})
	valid := sign(ourKey(), goodHeader(), good())
	f.Add("", uint16(0), `{"alg":"RS256","kid":"ours"}`, `{"exp":1e300,"aud":"penstock"}`)
	f.Add("A", uint16(5), `{"alg":"none","kid":"ours"}`, `{"exp":99999999999,"aud":["penstock"],"iss":"https://cloud.example.com","sub":"`+userID+`"}`)
	f.Add("a.b.c", uint16(900), `null`, `null`)
	f.Add("==", uint16(300), `{"alg":"RS256","kid":"ours","crit":[]}`, `{"sub":7}`)
	f.Add(".", uint16(60), `{"alg":"RS256","kid":"ours"}`, `{"exp":1772370000,"nbf":-1e18,"aud":"penstock","iss":"https://cloud.example.com","sub":"`+userID+`","org_id":"`+orgID+`"}`)
	f.Fuzz(func(t *testing.T, text string, at uint16, header, payload string) {
		for _, token := range []string{text, overwrite(valid, text, int(at))} {
			p, err := v.Verify(t.Context(), token)
			if err == nil && token != valid {
				t.Errorf("believed %q as %+v", token, p)
			}
			checkFuzzed(t, p, err)
		}
		p, err := v.Verify(t.Context(), signRaw(header, payload))
		checkFuzzed(t, p, err)
	})
}

// overwrite puts text over s from a position on.
func overwrite(s, text string, at int) string {
	at %= len(s)
	return s[:at] + text + s[min(at+len(text), len(s)):]
}

func checkFuzzed(t *testing.T, p cloud.Principal, err error) {
	t.Helper()
	if err != nil {
		if cloud.CodeOf(err) != cloud.CodeUnauthenticated || !cmp.Equal(p, cloud.Principal{}) {
			t.Errorf("got %+v, %v; want %s alone", p, err, cloud.CodeUnauthenticated)
		}
		return
	}
	if id, err := cloud.ParseID(string(p.UserID)); err != nil || id != p.UserID {
		t.Errorf("accepted the user %q", p.UserID)
	}
	if p.OrganizationID != "" {
		if id, err := cloud.ParseID(string(p.OrganizationID)); err != nil || id != p.OrganizationID {
			t.Errorf("accepted the organization %q", p.OrganizationID)
		}
	}
}

func signRaw(header, payload string) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(nil, ourKey(), crypto.SHA256, sum[:])
	if err != nil {
		panic(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func BenchmarkVerify(b *testing.B) {
	token := sign(ourKey(), goodHeader(), good(map[string]any{"org_id": orgID}))
	b.Run("hit", func(b *testing.B) {
		v, _ := newVerifier(&source{keys: ours()})
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Verify(b.Context(), token); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("miss", func(b *testing.B) {
		v, _ := newVerifier(&source{keys: ours()})
		b.ReportAllocs()
		for b.Loop() {
			v.cache.Purge()
			if _, err := v.Verify(b.Context(), token); err != nil {
				b.Fatal(err)
			}
		}
	})
}
