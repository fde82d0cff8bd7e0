package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/auth/issuer"
	"github.com/penstock-cloud/penstock/internal/auth/oauth"
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/federation"
	"github.com/penstock-cloud/penstock/internal/mail"
	"github.com/penstock-cloud/penstock/internal/managementapi"
	"github.com/penstock-cloud/penstock/internal/observe"
	"github.com/penstock-cloud/penstock/internal/rest"
	"github.com/penstock-cloud/penstock/internal/serving"
)

// planeConfig is what a plane is assembled from.
type planeConfig struct {
	database database
	url      string // under which clients and regions reach it
	policy   cloud.HealthPolicy
	proxies  []netip.Prefix
	rate     rateLimit
	identity identityFile
	log      *slog.Logger
	metrics  *observe.Metrics
}

// options are what the operator chose of the use cases.
func (c planeConfig) options(postman *mail.Postman) []control.Option {
	options := []control.Option{control.WithLinks(c.invitationPage), control.WithAuditTTL(c.identity.auditFor()), control.WithBounds(c.identity.Bounds.bounds())}
	if postman != nil {
		options = append(options, control.WithMail(postman.Wake))
	}
	return options
}

// invitationPage is where an invitation is opened, by its token.
func (c planeConfig) invitationPage(token cloud.Secret) string {
	return strings.TrimRight(c.url, "/") + "/invitations/" + token.Reveal()
}

// plane is the global plane, put together but not listening.
type plane struct {
	store   cloud.Store
	control *control.Control
	issuer  *issuer.Issuer
	postman *mail.Postman // nil where mail leaves on no way
	oauth   *oauth.Server
	handler http.Handler
	log     *slog.Logger
}

// openPlane opens the database, notes the start, and puts the parts together.
func openPlane(ctx context.Context, c planeConfig) (*plane, error) {
	store, err := c.database.openPlane(ctx, c.log)
	if err != nil {
		return nil, err
	}
	postman, err := newPostman(c, store)
	if err != nil {
		_ = store.Close()
		return nil, err
	}
	p := &plane{
		store: store, log: c.log, postman: postman,
		issuer: issuer.New(store, time.Now, newID),
	}
	options := append(c.options(postman), control.WithPersonalTokens(p.issuer.MintPersonal))
	p.control = control.New(store, time.Now, newID, c.policy, options...)
	if err := p.assemble(ctx, c); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// newPostman returns who sends mails; nil without a server for them.
func newPostman(c planeConfig, store cloud.Store) (*mail.Postman, error) {
	if c.identity.Mail == nil {
		return nil, nil //nolint:nilnil // nobody is what there is
	}
	sender, err := mail.NewSender(c.identity.Mail.config)
	if err != nil {
		return nil, err
	}
	return mail.NewPostman(mail.PostmanConfig{
		Outbox: store, Transport: sender, PublicURL: c.url, Log: c.log, Now: time.Now, Rand: rand.Float64,
	})
}

func (p *plane) close() { _ = p.store.Close() } // what was acknowledged is durable already

func (p *plane) assemble(ctx context.Context, c planeConfig) error {
	if err := p.control.Start(ctx, c.url); err != nil {
		return err
	}
	if err := p.issuer.EnsureKey(ctx); err != nil {
		return err
	}
	trusted, err := openTrusted(c.identity.TrustedIssuers, c.url, c.log)
	if err != nil {
		return err
	}
	address := func(r *http.Request) string { return serving.ClientAddress(r, c.proxies) }
	verifier, limits := auth.NewVerifier(p.issuer, time.Now), c.rate.limits()
	management, err := managementapi.NewServer(managementapi.Config{
		Control: p.control, Verifier: verifier.Trusting(p.control, trusted...), Limits: limits, Log: c.log, Now: time.Now, ClientAddress: address,
	})
	if err != nil {
		return err
	}
	reports, err := federation.NewServer(federation.ServerConfig{Log: c.log, ClientAddress: address, Plane: federation.NewPlane(federation.PlaneConfig{
		Store: p.store, Health: c.policy, Log: c.log, Now: time.Now, NewID: newID, Rand: rand.Float64,
	})})
	if err != nil {
		return err
	}
	c.metrics.Register(newRegionCollector(p.control.As(system)))

	mux := http.NewServeMux()
	// Regions sync all day long; their requests would bury everybody else's.
	mux.Handle("/federation/", observed(c, slog.LevelDebug, "federation", reports.Operations(), reports))
	api := observed(c, slog.LevelInfo, "management", management.Operations(), management)
	mux.Handle("/", api)
	p.addWeb(mux, c)
	p.addOAuth(mux, c, oauthAccess{verifier, limits, address})
	if err := p.addPages(mux, c, limits, address); err != nil {
		return err
	}
	p.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			api.ServeHTTP(w, r) // also for paths that the mux would redirect
			return
		}
		mux.ServeHTTP(w, r)
	})
	return nil
}

// addWeb routes what stands beside the APIs: documents, keys and probes.
func (p *plane) addWeb(mux *http.ServeMux, c planeConfig) {
	fail := rest.Errors{Log: c.log}.Write
	docs := managementapi.Docs()
	for pattern, handler := range map[string]http.Handler{
		"GET /healthz":                http.HandlerFunc(healthy),
		"GET /readyz":                 p.ready(fail),
		"GET /openapi.yaml":           docs,
		"GET /docs":                   docs,
		"GET /docs/":                  docs,
		"GET " + issuer.DiscoveryPath: oauth.Discovery(p.issuer, fail),
		"GET " + issuer.JWKSPath:      issuer.JWKS(p.issuer, fail),
	} {
		mux.Handle(pattern, observed(c, slog.LevelDebug, "web", map[string]string{pattern: pattern}, handler))
	}
}

// oauthAccess is what finds out who calls the OAuth server.
type oauthAccess struct {
	verifier *auth.Verifier
	limits   *rest.Limits
	address  func(*http.Request) string
}

// addOAuth routes where programs get their tokens; whoever asks has none yet.
func (p *plane) addOAuth(mux *http.ServeMux, c planeConfig, a oauthAccess) {
	p.oauth = oauth.NewServer(oauth.Config{
		Store: p.store, Issuer: p.issuer, Verifier: a.verifier, Log: c.log, Now: time.Now, NewID: newID,
		Origin: func(w http.ResponseWriter, r *http.Request) cloud.Origin {
			return cloud.Origin{RequestID: rest.RequestID(w), Address: a.address(r)}
		},
	})
	limited := a.limits.Strangers(rest.Errors{Log: c.log, Body: oauth.LimitedBody}, a.address, p.oauth)
	for _, pattern := range p.oauth.Patterns() {
		mux.Handle(pattern, observed(c, slog.LevelInfo, "oauth", map[string]string{pattern: pattern}, limited))
	}
}

func observed(c planeConfig, level slog.Level, api string, operations map[string]string, next http.Handler) http.Handler {
	return observe.Middleware(observe.Config{
		API: api, Operations: operations, Metrics: c.metrics, Log: c.log, Level: level, Now: time.Now, NewID: newID,
	}, next)
}

// healthy answers that the process lives, whatever its database does.
func healthy(w http.ResponseWriter, _ *http.Request) { rest.WriteMessage(w, http.StatusOK, "ok") }

// ready answers whether requests can be served just now.
func (p *plane) ready(fail issuer.Fail) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := p.control.Ping(r.Context())
		if err != nil && cloud.CodeOf(err) != cloud.CodeUnavailable {
			err = cloud.Unavailable(err)
		}
		if err != nil {
			fail(w, r, err)
			return
		}
		rest.WriteMessage(w, http.StatusOK, "ready")
	})
}

// stayAlive notes regularly that the plane runs, until ctx ends.
func (p *plane) stayAlive(ctx context.Context) error {
	tick := time.NewTicker(control.AliveInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := p.control.MarkAlive(ctx); err != nil && ctx.Err() == nil {
			p.log.WarnContext(ctx, "could not note that the plane runs; trying again", "error", err)
		}
	}
}

// keepHouse does what is due of the plane's own work, until ctx ends.
func (p *plane) keepHouse(ctx context.Context) error {
	tick := time.NewTicker(control.JobInterval)
	defer tick.Stop()
	for {
		if _, err := p.control.KeepHouse(ctx); err != nil && ctx.Err() == nil {
			p.log.WarnContext(ctx, "could not forget what is over; trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// sendMail sends what is in the outbox, until ctx ends.
func (p *plane) sendMail(ctx context.Context) error {
	if p.postman == nil {
		return nil
	}
	return p.postman.Run(ctx)
}

// system is the program itself, where nobody else made a change.
var system = cloud.Actor{Kind: cloud.ActorSystem, ID: "penstock"}
