package oauth

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/auth/issuer"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

// The paths of the endpoints, under the issuer's URL.
const (
	AuthorizePath  = "/oauth/authorize"
	TokenPath      = "/oauth/token" //nolint:gosec // a path
	DevicePath     = "/oauth/device_authorization"
	RevokePath     = "/oauth/revoke"
	UserinfoPath   = "/oauth/userinfo"
	EndSessionPath = "/oauth/end_session"
)

// The pages to which browsers are sent, under the issuer's URL.
const (
	SignInPage  = "/sign-in"  // ?authorization=ID; see Server.Agree
	DevicePage  = "/device"   // ?user_code=CODE; see Server.ApproveDevice
	SignOutPage = "/sign-out" // with what Server.AfterSignOut takes
)

// Config is what a Server is made from.
type Config struct {
	Store    cloud.Store
	Issuer   *issuer.Issuer // signs, and knows the plane's URL
	Verifier *auth.Verifier // of the access tokens that come back
	Log      *slog.Logger
	Now      func() time.Time
	NewID    func() cloud.ID
	// Origin says where a request came from, for the audit.
	Origin func(http.ResponseWriter, *http.Request) cloud.Origin
}

// Server answers the endpoints. It is safe for concurrent use.
type Server struct {
	Config
	protocol http.Handler
	polls    *polls
}

// NewServer returns the server of a plane.
func NewServer(c Config) *Server {
	now := c.Now
	c.Now = func() time.Time { return now().UTC().Truncate(time.Microsecond) } // as stores keep it
	s := &Server{Config: c, polls: newPolls()}
	s.protocol = op.RegisterServer(protocol{server: s}, op.Endpoints{
		Authorization:       op.NewEndpoint(AuthorizePath),
		Token:               op.NewEndpoint(TokenPath),
		DeviceAuthorization: op.NewEndpoint(DevicePath),
		Revocation:          op.NewEndpoint(RevokePath),
		Userinfo:            op.NewEndpoint(UserinfoPath),
		EndSession:          op.NewEndpoint(EndSessionPath),
	}, op.WithServerCORSOptions(nil)) // browsers of other origins have no business here
	return s
}

// Patterns returns what ServeHTTP answers, for a ServeMux.
func (s *Server) Patterns() []string {
	return []string{
		"GET " + AuthorizePath, "POST " + AuthorizePath,
		"POST " + TokenPath, "POST " + DevicePath, "POST " + RevokePath,
		"GET " + UserinfoPath, "POST " + UserinfoPath,
		"GET " + EndSessionPath, "POST " + EndSessionPath,
	}
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache") // RFC 6749, 5.1
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	r = r.WithContext(WithOrigin(r.Context(), s.Origin(w, r)))
	w = challenger{w, challengeOf(r)}
	r, err := readForm(w, r)
	if err != nil {
		op.WriteError(w, r, err, nil)
		return
	}
	s.protocol.ServeHTTP(w, r)
}

// challenger names the way to authenticate in every 401 (RFC 9110, 15.5.2).
type challenger struct {
	http.ResponseWriter
	challenge string
}

// WriteHeader implements http.ResponseWriter.
func (c challenger) WriteHeader(status int) {
	if status == http.StatusUnauthorized {
		c.Header().Set("WWW-Authenticate", c.challenge)
	}
	c.ResponseWriter.WriteHeader(status)
}

// challengeOf names an error only where there was a token (RFC 6750, 3.1).
func challengeOf(r *http.Request) string {
	switch {
	case r.URL.Path != UserinfoPath:
		return `Basic realm="penstock"`
	case r.Header.Get("Authorization") == "":
		return `Bearer realm="penstock"`
	default:
		return `Bearer realm="penstock", error="invalid_token"`
	}
}

// url returns an URL of the plane; its path begins with a slash.
func (s *Server) url(ctx context.Context, path string) (string, error) {
	keys, err := s.Issuer.Keys(ctx)
	if err != nil {
		return "", err
	}
	if len(keys.Issuers) == 0 {
		return "", errNoURL
	}
	return at(keys.Issuers[0], path), nil
}

// at is the URL of a path under an issuer's.
func at(issuer, path string) string { return strings.TrimSuffix(issuer, "/") + path }

var errNoURL = cloud.Conflict("this control plane has no URL yet")

// decide runs fn in a transaction. What fn refuses is refused when what it
// wrote is durable; with an error of fn nothing of it happened.
func (s *Server) decide(ctx context.Context, fn func(tx cloud.Writer) (refused *oidc.Error, err error)) error {
	var refused *oidc.Error
	err := s.Store.Write(ctx, func(tx cloud.Writer) (err error) {
		refused, err = fn(tx)
		return err
	})
	if err != nil {
		return err
	}
	if refused != nil {
		return refused
	}
	return nil
}

// The prefixes of what is given out.
const (
	codePrefix    = "psc_"
	refreshPrefix = "psf_"
	devicePrefix  = "psd_"
)

// originKey is where contexts keep the origin, which the protocol's library
// passes on in them only.
type originKey struct{}

// WithOrigin notes where a request came from, for the audit of what the pages
// ask for.
func WithOrigin(ctx context.Context, o cloud.Origin) context.Context {
	return context.WithValue(ctx, originKey{}, o)
}

func originOf(ctx context.Context) cloud.Origin {
	o, _ := ctx.Value(originKey{}).(cloud.Origin)
	return o
}
