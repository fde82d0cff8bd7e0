package provider

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Config is a provider as the operator names it.
type Config struct {
	Name         string // in URLs; see cloud.CheckName
	Title        string // on the button
	Issuer       string // its URL, exactly as it calls itself
	ClientID     string
	ClientSecret cloud.Secret // "" for a public client
	RedirectURL  string       // where it sends browsers back to; it has to know it
}

// Check says what is wrong with a provider, and how to mend it: CodeInvalid.
func (c Config) Check() error {
	if err := cloud.CheckName("a provider's name", c.Name); err != nil {
		return err
	}
	if err := cloud.CheckTitle("title", c.Title); err != nil {
		return cloud.About("provider "+c.Name, err)
	}
	if err := cloud.CheckIssuer(c.Issuer); err != nil {
		return cloud.About("provider "+c.Name, err)
	}
	if c.ClientID == "" {
		return cloud.Invalid("provider %s: client_id is missing; the provider tells it when you register this cloud there with the redirect URL %s", c.Name, c.RedirectURL)
	}
	return nil
}

// Provider is one that people can sign in with. It is safe for concurrent use.
type Provider struct {
	config Config
	client *http.Client
	now    func() time.Time

	mu     sync.Mutex
	found  *discovered
	failed error
	tried  time.Time // when it was looked for last
}

// discovered is what a provider says of itself.
type discovered struct {
	*oidc.Provider
	saysIssuer bool // in its answers (RFC 9207)
}

// New returns a provider, which is not asked anything yet: one that is down does
// not keep anybody else from signing in.
func New(c Config, transport http.RoundTripper, now func() time.Time) (*Provider, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	return &Provider{config: c, client: newClient(transport), now: now}, nil
}

// Name and Title are the operator's, for URLs and for people.
func (p *Provider) Name() string { return p.config.Name }

// Title is what people call the provider.
func (p *Provider) Title() string { return p.config.Title }

// Issuer is the provider's URL.
func (p *Provider) Issuer() string { return p.config.Issuer }

// What a provider says of itself is asked for again after a while, and one that
// did not answer not at every click.
const (
	keepFound  = time.Hour
	keepFailed = 5 * time.Second
)

// discover returns what the provider says of itself: when it is not to be had
// again, what it said before.
func (p *Provider) discover(ctx context.Context) (*discovered, error) {
	found, fresh, err := p.kept()
	if fresh {
		return found, err
	}
	next, err := p.ask(ctx)
	if ctx.Err() != nil {
		return found, ctx.Err() // it is whoever asked that went away
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tried = p.now()
	p.failed = err
	if err == nil {
		p.found = next
	}
	return p.answer()
}

func (p *Provider) kept() (found *discovered, fresh bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	age, keep := p.now().Sub(p.tried), keepFound
	if p.failed != nil {
		keep = keepFailed
	}
	found, err = p.answer()
	return found, !p.tried.IsZero() && 0 <= age && age < keep, err
}

func (p *Provider) answer() (*discovered, error) {
	if p.found != nil {
		return p.found, nil
	}
	return nil, p.failed
}

func (p *Provider) ask(ctx context.Context) (*discovered, error) {
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.config.Issuer)
	if err != nil {
		return nil, cloud.Unavailable(fmt.Errorf("provider %s: %w", p.config.Name, err))
	}
	var more struct {
		SaysIssuer bool `json:"authorization_response_iss_parameter_supported"`
	}
	if err := found.Claims(&more); err != nil {
		return nil, cloud.Unavailable(fmt.Errorf("provider %s: %w", p.config.Name, err))
	}
	u, err := url.Parse(found.Endpoint().AuthURL)
	if err == nil {
		err = checkURL(u)
	}
	if err != nil {
		return nil, cloud.Unavailable(fmt.Errorf("provider %s: authorization_endpoint: %w", p.config.Name, err))
	}
	return &discovered{found, more.SaysIssuer}, nil
}

func (p *Provider) oauth(d *discovered) oauth2.Config {
	return oauth2.Config{
		ClientID: p.config.ClientID, ClientSecret: p.config.ClientSecret.Reveal(), RedirectURL: p.config.RedirectURL,
		Endpoint: d.Endpoint(), Scopes: []string{oidc.ScopeOpenID, oidc.ScopeEmail, oidc.ScopeProfile},
	}
}

// AuthURL is where the browser goes to sign in. CodeUnavailable while the
// provider does not answer.
func (p *Provider) AuthURL(ctx context.Context, state, nonce string, verifier cloud.Secret) (string, error) {
	d, err := p.discover(ctx)
	if err != nil {
		return "", err
	}
	config := p.oauth(d)
	return config.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier.Reveal())), nil
}

// Answer is what the browser brings back.
type Answer struct {
	Code   string
	Issuer string // the parameter iss (RFC 9207); "" for none
}

// Finish exchanges the code, and returns what the provider says of who signed
// in. CodeForbidden for an answer that is not to be believed, CodeUnavailable
// while the provider does not answer.
func (p *Provider) Finish(ctx context.Context, a Answer, nonce string, verifier cloud.Secret) (cloud.Assertion, error) {
	d, err := p.discover(ctx)
	if err != nil {
		return cloud.Assertion{}, err
	}
	if a.Issuer != p.config.Issuer && (a.Issuer != "" || d.saysIssuer) {
		return cloud.Assertion{}, errNotBelieved // somebody mixes providers up
	}
	ctx = oidc.ClientContext(ctx, p.client)
	config := p.oauth(d)
	token, err := config.Exchange(ctx, a.Code, oauth2.VerifierOption(verifier.Reveal()))
	if err != nil {
		return cloud.Assertion{}, p.exchangeFailed(err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := d.Verifier(&oidc.Config{ClientID: p.config.ClientID, Now: p.now}).Verify(ctx, raw)
	if err != nil {
		return cloud.Assertion{}, fmt.Errorf("%w (provider %s: %w)", errNotBelieved, p.config.Name, err)
	}
	return p.read(ctx, d, token, id, nonce)
}

// exchangeFailed tells a code that is refused from a provider that is away.
func (p *Provider) exchangeFailed(err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.Response.StatusCode < http.StatusInternalServerError {
		// Its text may repeat what was sent, so only the code of the error is told.
		return fmt.Errorf("%w (provider %s refuses the code: %.40q)", errNotBelieved, p.config.Name, refused.ErrorCode)
	}
	return cloud.Unavailable(fmt.Errorf("provider %s: %w", p.config.Name, err))
}

var errNotBelieved = cloud.Forbidden("the provider's answer does not hold; begin anew, and tell whoever runs this cloud if it happens again")

// claims is what is read of a person, of an ID token or of the userinfo.
type claims struct {
	Email           string `json:"email"`
	EmailVerified   *flag  `json:"email_verified"` // nil if it says nothing of that
	Name            string `json:"name"`
	AuthorizedParty string `json:"azp"`
}

// flag is a boolean, which some providers write as a string.
type flag bool

// UnmarshalJSON implements json.Unmarshaler.
func (f *flag) UnmarshalJSON(text []byte) error {
	*f = flag(slices.Contains([]string{`true`, `"true"`}, string(text)))
	return nil
}

func (p *Provider) read(ctx context.Context, d *discovered, token *oauth2.Token, id *oidc.IDToken, nonce string) (cloud.Assertion, error) {
	var said claims
	if err := id.Claims(&said); err != nil {
		return cloud.Assertion{}, fmt.Errorf("%w (provider %s: %w)", errNotBelieved, p.config.Name, err)
	}
	switch {
	case cloud.CheckSubject(id.Subject) != nil:
		return cloud.Assertion{}, fmt.Errorf("%w (provider %s: a subject of %d bytes, or not printable)", errNotBelieved, p.config.Name, len(id.Subject))
	case nonce == "" || subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1:
		return cloud.Assertion{}, fmt.Errorf("%w (provider %s: another nonce)", errNotBelieved, p.config.Name)
	case (len(id.Audience) > 1 || said.AuthorizedParty != "") && said.AuthorizedParty != p.config.ClientID:
		return cloud.Assertion{}, fmt.Errorf("%w (provider %s: the token is for another client)", errNotBelieved, p.config.Name)
	}
	if said.Email == "" && d.UserInfoEndpoint() != "" {
		info, err := d.UserInfo(ctx, oauth2.StaticTokenSource(token))
		if err != nil {
			return cloud.Assertion{}, cloud.Unavailable(fmt.Errorf("provider %s: userinfo: %w", p.config.Name, err))
		}
		if info.Subject != id.Subject { // OpenID Connect Core 1.0, 5.3.2
			return cloud.Assertion{}, fmt.Errorf("%w (provider %s: the userinfo is somebody else's)", errNotBelieved, p.config.Name)
		}
		if err := info.Claims(&said); err != nil {
			return cloud.Assertion{}, fmt.Errorf("%w (provider %s: %w)", errNotBelieved, p.config.Name, err)
		}
	}
	verified := said.EmailVerified
	return cloud.Assertion{
		Issuer: id.Issuer, Subject: id.Subject, Email: said.Email, Name: said.Name,
		EmailVerified: verified != nil && bool(*verified), EmailUnsaid: verified == nil,
	}, nil
}
