package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/penstock-cloud/penstock/internal/auth/oauth"
	"github.com/penstock-cloud/penstock/internal/auth/provider"
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/rest"
	"github.com/penstock-cloud/penstock/internal/signin"
)

// addPages routes the pages on which people sign in. It comes after addOAuth,
// for whose programs they do.
func (p *plane) addPages(mux *http.ServeMux, c planeConfig, limits *rest.Limits, address func(*http.Request) string) error {
	providers, rules, err := newProviders(c)
	if err != nil {
		return err
	}
	wake := func() {}
	if p.postman != nil {
		wake = p.postman.Wake
	}
	codes := p.postman != nil
	pages, err := signin.NewServer(signin.Config{
		Entrance:  p.control.Entrance(control.EntranceConfig{Codes: codes, Providers: rules}),
		Providers: providers, Codes: codes, Authorizations: authorizations{p.oauth}, Invitations: invitations{p.control}, PublicURL: c.url,
		Limits: limits, Wake: wake, ClientAddress: address, Log: c.log,
	})
	if err != nil {
		return err
	}
	// What the OAuth server notes in the audit has the browser's origin.
	originated := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := cloud.Origin{RequestID: rest.RequestID(w), Address: address(r)}
		pages.ServeHTTP(w, r.WithContext(oauth.WithOrigin(r.Context(), origin)))
	})
	handler := observed(c, slog.LevelInfo, "pages", pages.Operations(), originated)
	for pattern := range pages.Operations() {
		mux.Handle(pattern, handler)
	}
	return nil
}

// newProviders returns those that the operator names.
func newProviders(c planeConfig) (providers []*provider.Provider, rules []control.ProviderRule, err error) {
	for _, e := range c.identity.Providers {
		p, err := provider.New(provider.Config{
			Name: e.Name, Title: e.Title, Issuer: e.Issuer, ClientID: e.ClientID, ClientSecret: e.clientSecret,
			RedirectURL: c.url + "/sign-in/callback/" + e.Name,
		}, http.DefaultTransport, time.Now)
		if err != nil {
			return nil, nil, err
		}
		providers = append(providers, p)
		rules = append(rules, control.ProviderRule{Name: e.Name, Issuer: e.Issuer, Domains: e.Domains, AssumeVerified: e.AssumeVerified})
	}
	return providers, rules, nil
}

// authorizations is the OAuth server as the pages see it.
type authorizations struct{ *oauth.Server }

// Describe implements signin.Authorizations.
func (a authorizations) Describe(ctx context.Context, id cloud.ID) (signin.Request, error) {
	r, err := a.Server.Describe(ctx, id)
	return signin.Request{Client: r.ClientName, LoginHint: r.LoginHint, SignInAfter: r.SignInAfter, AskBefore: r.AskBefore}, err
}

// DeviceByUserCode implements signin.Authorizations.
func (a authorizations) DeviceByUserCode(ctx context.Context, code string) (signin.Device, error) {
	d, err := a.Server.DeviceByUserCode(ctx, code)
	return signin.Device{Client: d.ClientName, Code: d.UserCode, Scopes: d.Scopes}, err
}

// invitations is the use cases of who was invited, as the pages see them.
type invitations struct{ control *control.Control }

// Invitation implements signin.Invitations.
func (i invitations) Invitation(ctx context.Context, token cloud.Secret) (signin.Invitation, error) {
	o, err := i.control.InvitationByToken(ctx, token)
	return signin.Invitation{
		Organization: o.Organization.DisplayName, InvitedBy: o.Inviter.Name, Role: o.Role, Email: o.Email, ExpiresAt: o.ExpiresAt,
	}, err
}

// Accept implements signin.Invitations.
func (i invitations) Accept(ctx context.Context, user cloud.User, token cloud.Secret, origin cloud.Origin) error {
	caller := cloud.Caller{Principal: cloud.Principal{UserID: user.ID}, User: user, Origin: origin}
	_, err := i.control.AcceptInvitation(ctx, caller, "", control.WhichInvitation{Token: token})
	return err
}
