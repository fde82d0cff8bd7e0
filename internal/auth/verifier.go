package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

const (
	// Audience is the "aud" of every token for Penstock's APIs.
	Audience = "penstock"
	// Leeway is how far clocks may differ: for so long a token is believed
	// before its beginning and after its end.
	Leeway = 60 * time.Second
	// MaxToken is the longest token, in bytes, that is looked at.
	MaxToken = 8 << 10
)

const (
	cacheEntries  = 16384 // of about 300 bytes each
	cacheLifetime = 60 * time.Second
)

// Claims is the payload of Penstock's tokens (RFC 7519, 4).
type Claims struct {
	jwt.RegisteredClaims
	// OrganizationID, where there is one, is the only organization that the
	// token opens.
	OrganizationID *string `json:"org_id,omitempty"`
	// MaxRole, where there is one, is a role beyond which the token opens nothing.
	MaxRole *string `json:"max_role,omitempty"`
	// Personal says that it is a cloud.PersonalToken.
	Personal bool `json:"personal,omitempty"`
	// ClientID and Scope are whom it was given to and for what (RFC 9068, 2.2), of
	// tokens that the OAuth server gave out. They open and close nothing here.
	ClientID string `json:"client_id,omitempty"`
	Scope    string `json:"scope,omitempty"`
}

// Verifier verifies bearer tokens. It is safe for concurrent use.
type Verifier struct {
	ours     *authority
	trusted  map[string]*authority // by issuer
	accounts Accounts              // of the trusted ones; nil where there are none
	now      func() time.Time
	cache    *lru.Cache[[sha256.Size]byte, verified]
}

// verified is a token whose signature and claims were found good.
type verified struct {
	principal cloud.Principal
	by        *authority
	subject   string  // as a trusted issuer calls whose token it is; "" for ours
	keys      *KeySet // it holds with these keys and issuers only
	from, to  time.Time
}

// NewVerifier returns a verifier that trusts the source's keys for our own
// tokens.
func NewVerifier(source KeySource, now func() time.Time) *Verifier {
	cache, err := lru.New[[sha256.Size]byte, verified](cacheEntries)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &Verifier{
		ours: newAuthority(source, Audience, now, func() payload { return new(Claims) }, RS256),
		now:  now, cache: cache,
	}
}

// Trusting returns a verifier that believes other issuers as well, each for its
// own tokens only. An issuer that is also our own is believed as a trusted one.
func (v *Verifier) Trusting(accounts Accounts, issuers ...Trusted) *Verifier {
	w := NewVerifier(v.ours.source, v.now)
	w.accounts, w.trusted = accounts, make(map[string]*authority, len(issuers))
	for _, t := range issuers {
		w.trusted[t.Issuer] = newTrusted(t, v.now)
	}
	return w
}

// Verify returns who the token says is calling. The error is CodeUnauthenticated
// and says what is wrong with the token, without repeating any of it; an error
// of the key source, or of the accounts, is returned as it is.
func (v *Verifier) Verify(ctx context.Context, token string) (cloud.Principal, error) {
	if token == "" || len(token) > MaxToken {
		return cloud.Principal{}, cloud.Unauthenticated("a token has 1 to %d bytes; this one has %d", MaxToken, len(token))
	}
	sum := digest(token)
	e, ok := v.cache.Get(sum)
	if !ok {
		e.by = v.authorityOf(token)
	}
	keys, err := e.by.source.Keys(ctx)
	if err != nil {
		return cloud.Principal{}, err
	}
	now := v.now()
	if !ok || e.keys != keys || now.Before(e.from) || !now.Before(e.to) {
		if e, err = verify(ctx, e.by, token, keys, now); err != nil {
			return cloud.Principal{}, err
		}
		v.cache.Add(sum, e)
	}
	return v.identify(ctx, e)
}

// digest is what the cache knows a token by, which is not the token itself.
func digest(token string) [sha256.Size]byte {
	var onStack [1024]byte // enough for ours
	return sha256.Sum256(append(onStack[:0], token...))
}

// verify does the work that the cache saves.
func verify(ctx context.Context, by *authority, token string, keys *KeySet, now time.Time) (verified, error) {
	if strings.ContainsAny(token, "\r\n") { // the base64 decoder would skip them
		return verified{}, errMalformed
	}
	claims := by.claims()
	var key Key
	var keyErr error
	t, err := by.parser.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) {
		key, keys, keyErr = by.keyOf(ctx, t, keys, now)
		return key.Public, keyErr
	})
	switch {
	case keyErr != nil:
		return verified{}, keyErr
	case err != nil:
		return verified{}, by.refusal(t, err)
	}
	if issuer, err := claims.GetIssuer(); err != nil || !keys.believes(issuer) {
		return verified{}, cloud.Unauthenticated("the token is of another issuer, or of none; get one from this control plane")
	}
	p, err := claims.principal()
	if err != nil {
		return verified{}, err
	}
	expires, err := claims.GetExpirationTime()
	if err != nil {
		return verified{}, errMalformed
	}
	to := now.Add(cacheLifetime)
	if end := expires.Add(Leeway); end.Before(to) {
		to = end
	}
	if end := key.ExpiresAt; !end.IsZero() && end.Before(to) {
		to = end
	}
	return verified{principal: p, by: by, subject: claims.foreign(), keys: keys, from: now, to: to}, nil
}

var errMalformed = cloud.Unauthenticated("the token is not a well-formed JWT")

// keyOf finds the key that the token names, and the set that has it.
func (a *authority) keyOf(ctx context.Context, t *jwt.Token, keys *KeySet, now time.Time) (Key, *KeySet, error) {
	if _, ok := t.Header["crit"]; ok { // RFC 7515, 4.1.11: we understand no extension
		return Key{}, nil, cloud.Unauthenticated("the token's header demands an extension (crit) that is not supported")
	}
	kid, _ := t.Header["kid"].(string)
	if kid == "" {
		return Key{}, nil, cloud.Unauthenticated("the token's header does not name its key (kid)")
	}
	key, ok := keys.key(kid, now)
	if !ok {
		var err error
		if keys, err = a.source.Fresh(ctx); err != nil {
			return Key{}, nil, err
		}
		if key, ok = keys.key(kid, now); !ok {
			return Key{}, nil, cloud.Unauthenticated("the token is signed with a key that is unknown or withdrawn; get a new one")
		}
	}
	if key.Algorithm != t.Method.Alg() {
		return Key{}, nil, cloud.Unauthenticated("the token is signed with an algorithm that is not its key's")
	}
	return key, keys, nil
}

func (c *Claims) principal() (cloud.Principal, error) {
	user, err := cloud.ParseID(c.Subject)
	if err != nil {
		return cloud.Principal{}, cloud.Unauthenticated("the token's subject (sub) is not the UUID of a user")
	}
	p := cloud.Principal{UserID: user, Personal: c.Personal, TokenID: c.ID}
	if c.OrganizationID != nil {
		if p.OrganizationID, err = cloud.ParseID(*c.OrganizationID); err != nil {
			return cloud.Principal{}, cloud.Unauthenticated("the token's organization (org_id) is not a UUID")
		}
	}
	if c.MaxRole != nil {
		if p.MaxRole, err = cloud.ParseRole(*c.MaxRole); err != nil {
			return cloud.Principal{}, cloud.Unauthenticated("the token's highest role (max_role) is not a role")
		}
	}
	if c.Personal && c.ID == "" {
		return cloud.Principal{}, cloud.Unauthenticated("a personal token must have an id (jti), by which it is revoked")
	}
	return p, nil
}

// refusal words why the parser refused a token.
func (a *authority) refusal(t *jwt.Token, err error) error {
	switch {
	case errors.Is(err, jwt.ErrTokenMalformed):
		return errMalformed
	case t == nil || !a.signsWith(t.Header["alg"]):
		return cloud.Unauthenticated("the token must be signed with %s", strings.Join(a.algorithms, ", "))
	case errors.Is(err, jwt.ErrTokenRequiredClaimMissing):
		return cloud.Unauthenticated("the token must have an expiry (exp) and an audience (aud)")
	case errors.Is(err, jwt.ErrTokenExpired):
		return cloud.Unauthenticated("the token has expired; get a new one")
	case errors.Is(err, jwt.ErrTokenNotValidYet):
		return cloud.Unauthenticated("the token is not valid yet (nbf)")
	case errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return cloud.Unauthenticated("the token was issued in the future (iat); check the issuer's clock")
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		return cloud.Unauthenticated("the token is not for this API; its audience (aud) must be %q", a.audience)
	default:
		return cloud.Unauthenticated("the token's signature does not hold")
	}
}

func (a *authority) signsWith(alg any) bool {
	name, _ := alg.(string)
	return slices.Contains(a.algorithms, name)
}
