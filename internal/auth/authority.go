package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Trusted is an issuer beside our own whose tokens are believed, as an operator
// names it.
type Trusted struct {
	Issuer        string     // its URL, exactly as its tokens have it
	Audience      string     // that its tokens must be for
	SubjectClaim  string     // that says who the token is of; "" for sub
	Organizations []cloud.ID // for which it may speak, by id; at least one
	Keys          KeySource
}

// Accounts tells whose account the subject of a trusted issuer is.
type Accounts interface {
	// AccountOf returns the account's user. CodeNotFound if there is none;
	// CodeUnavailable says that nobody can tell just now.
	AccountOf(ctx context.Context, issuer, subject string) (cloud.ID, error)
}

// authority is an issuer, and what makes a token of it good.
type authority struct {
	issuer     string // of a trusted one; ours has several in the course of time
	source     KeySource
	algorithms []string
	audience   string
	parser     *jwt.Parser
	claims     func() payload
}

// payload is the claims of one token.
type payload interface {
	jwt.Claims
	// principal is who the token says is calling, without the user where its
	// issuer knows them by another name.
	principal() (cloud.Principal, error)
	// foreign is that name; "" for our own tokens.
	foreign() string
}

func (c *Claims) foreign() string { return "" }

func newAuthority(source KeySource, audience string, now func() time.Time, claims func() payload, algorithms ...string) *authority {
	return &authority{
		source: source, algorithms: algorithms, audience: audience, claims: claims,
		parser: jwt.NewParser(
			jwt.WithValidMethods(algorithms),
			jwt.WithAudience(audience),
			jwt.WithExpirationRequired(),
			jwt.WithIssuedAt(),
			jwt.WithLeeway(Leeway),
			jwt.WithStrictDecoding(),
			jwt.WithTimeFunc(now),
		),
	}
}

func newTrusted(t Trusted, now func() time.Time) *authority {
	claim := t.SubjectClaim
	if claim == "" {
		claim = "sub"
	}
	organizations := slices.Clone(t.Organizations)
	if organizations == nil {
		organizations = []cloud.ID{} // nil would be all
	}
	slices.Sort(organizations)
	a := newAuthority(t.Keys, t.Audience, now, func() payload {
		return &foreignClaims{claim: claim, organizations: organizations}
	}, RS256, ES256, EdDSA)
	a.issuer = t.Issuer
	return a
}

// authorityOf chooses by the issuer that a token names, which nobody has
// verified yet: all that it decides is by whose rules and keys that is done.
func (v *Verifier) authorityOf(token string) *authority {
	if len(v.trusted) == 0 {
		return v.ours
	}
	_, rest, _ := strings.Cut(token, ".")
	text, _, _ := strings.Cut(rest, ".")
	body, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return v.ours // which refuses it
	}
	var claimed struct {
		Issuer string `json:"iss"`
	}
	if err := json.Unmarshal(body, &claimed); err != nil {
		return v.ours
	}
	if a, ok := v.trusted[claimed.Issuer]; ok {
		return a
	}
	return v.ours
}

// foreignClaims is the payload of a trusted issuer's token.
type foreignClaims struct {
	jwt.RegisteredClaims
	claim         string // which says who it is of
	organizations []cloud.ID
	subject       string
	identity      bool // it is an ID token
}

// UnmarshalJSON implements json.Unmarshaler.
func (c *foreignClaims) UnmarshalJSON(text []byte) error {
	if err := json.Unmarshal(text, &c.RegisteredClaims); err != nil {
		return err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	for _, name := range []string{"nonce", "at_hash", "c_hash"} { // OpenID Connect Core 1.0, 2 and 3.3.2.11
		_, there := all[name]
		c.identity = c.identity || there
	}
	raw, ok := all[c.claim]
	if !ok {
		return nil
	}
	return json.Unmarshal(raw, &c.subject)
}

func (c *foreignClaims) principal() (cloud.Principal, error) {
	switch {
	case c.identity:
		return cloud.Principal{}, cloud.Unauthenticated("the token is an ID token, which says who signed in and opens nothing; send an access token")
	case cloud.CheckSubject(c.subject) != nil:
		return cloud.Principal{}, cloud.Unauthenticated("the token's claim %s must say whose it is, in 1 to 255 printable bytes", c.claim)
	}
	return cloud.Principal{TokenID: c.ID, Organizations: c.organizations}, nil
}

func (c *foreignClaims) foreign() string { return c.subject }

// identify adds to a principal of a trusted issuer whose account that is. It is
// asked each time: whoever answers knows for how long that holds.
func (v *Verifier) identify(ctx context.Context, e verified) (cloud.Principal, error) {
	if e.by == v.ours {
		return e.principal, nil
	}
	user, err := v.accounts.AccountOf(ctx, e.by.issuer, e.subject)
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		return cloud.Principal{}, cloud.Unauthenticated("nobody here has an account that the token's issuer and subject open; sign in through that issuer once, or ask whoever runs this cloud to link them")
	}
	if err != nil {
		return cloud.Principal{}, err
	}
	p := e.principal
	p.UserID = user
	return p, nil
}
