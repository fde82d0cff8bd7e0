package signin

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/penstock-cloud/penstock/internal/auth/provider"
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
)

// Authorizations is the OAuth 2.0 server, as far as the pages need it.
type Authorizations interface {
	// Describe returns what waits for somebody to sign in; CodeNotFound if there
	// is no such authorization.
	Describe(ctx context.Context, authorization cloud.ID) (Request, error)
	// Agree lets the client act for a user who signed in at an instant, and
	// Refuse does not. They return where the browser goes on.
	Agree(ctx context.Context, authorization, user cloud.ID, authTime time.Time) (callback string, err error)
	Refuse(ctx context.Context, authorization cloud.ID) (callback string, err error)
	// AfterSignOut returns where a client wants a browser that has signed out; an
	// error if that is no place of the client's.
	AfterSignOut(ctx context.Context, client, redirect, state string) (string, error)

	// DeviceByUserCode finds the device that shows a code and waits; CodeNotFound
	// if there is none. The code is as the person wrote it.
	DeviceByUserCode(ctx context.Context, code string) (Device, error)
	ApproveDevice(ctx context.Context, code string, user cloud.ID, authTime time.Time) error
	DenyDevice(ctx context.Context, code string, user cloud.ID) error
}

// Request is what a client asks of a person who signs in.
type Request struct {
	Client      string    // its name
	LoginHint   string    // the address of who the client thinks it is; "" for no idea
	SignInAfter time.Time // a sign-in before that does not do; zero if all do
	AskBefore   time.Time // who signed in before that is asked first; zero for nobody
}

// Device is a machine that asks to act for somebody.
type Device struct {
	Client string   // the program's name
	Code   string   // as the device shows it
	Scopes []string // what it asks for
}

// Invitations is the use cases of who was invited.
type Invitations interface {
	// Invitation finds what a link's token opens; CodeNotFound for one that has
	// expired, was taken back, was accepted or never was.
	Invitation(ctx context.Context, token cloud.Secret) (Invitation, error)
	// Accept makes the user a member. CodeForbidden if none of their addresses is
	// the invited one.
	Accept(ctx context.Context, user cloud.User, token cloud.Secret, origin cloud.Origin) error
}

// Invitation is one as its page shows it.
type Invitation struct {
	Organization string // as it is displayed
	InvitedBy    string // a name
	Role         cloud.Role
	Email        cloud.Email
	ExpiresAt    time.Time
}

// Limits bounds how often an address asks. It notes in an answer's headers what
// is left, and refuses with CodeLimited.
type Limits interface {
	Visit(w http.ResponseWriter, address string) error   // any page
	Attempt(w http.ResponseWriter, address string) error // one that takes a guess, or sends a code
}

// Config is what the pages are made of.
type Config struct {
	Entrance       control.Entrance
	Providers      []*provider.Provider // in the order of their buttons
	Codes          bool                 // sent by mail
	Authorizations Authorizations       // nil for none
	Invitations    Invitations          // nil for none
	Limits         Limits
	PublicURL      string // under which browsers reach the pages; https but on this machine
	Wake           func() // is called when a mail waits to be sent; nil for nobody
	ClientAddress  func(*http.Request) string
	Log            *slog.Logger
}

// Server serves the pages.
type Server struct {
	config     Config
	cookies    cookies
	mux        *http.ServeMux
	operations map[string]string
	handler    http.Handler
}

// maxForm bounds what a browser sends, in bytes.
const maxForm = 16 << 10

// NewServer returns the pages. CodeInvalid for a public URL that is none.
func NewServer(c Config) (*Server, error) {
	public, err := url.Parse(c.PublicURL)
	if err != nil || public.Host == "" {
		return nil, cloud.Invalid("the public URL must be like https://cloud.example.com; got %q", c.PublicURL)
	}
	if c.Wake == nil {
		c.Wake = func() {}
	}
	s := &Server{config: c, cookies: cookies{secure: public.Scheme == "https"}, mux: http.NewServeMux(), operations: map[string]string{}}
	s.route()
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, cloud.Forbidden("this came from another site, and was not done; go back to the page of this cloud and try again"))
	}))
	s.handler = protection.Handler(s.mux)
	return s, nil
}

// page handles a request, or refuses it with a domain error.
type page func(w http.ResponseWriter, r *http.Request) error

func (s *Server) route() {
	s.handle("GET /sign-in", "ShowSignIn", s.showSignIn)
	s.handle("POST /sign-in", "SendCode", s.attempt(s.sendCode))
	s.handle("GET /sign-in/code", "ShowCode", s.showCode)
	s.handle("POST /sign-in/code", "FinishCode", s.attempt(s.finishCode))
	s.handle("POST /sign-in/with/{provider}", "BeginProvider", s.beginProvider)
	s.handle("GET /sign-in/callback/{provider}", "FinishProvider", s.finishProvider)
	s.handle("GET /sign-out", "ShowSignOut", s.showSignOut)
	s.handle("POST /sign-out", "SignOut", s.signOut)
	s.handle("GET /account", "ShowAccount", s.showAccount)
	s.handle("POST /account/unlink", "Unlink", s.unlink)
	s.handle("POST /account/sign-out-everywhere", "SignOutEverywhere", s.signOutEverywhere)
	s.mux.HandleFunc("GET "+stylePath, serveStyle)
	s.operations["GET "+stylePath] = "Style"
	if s.config.Invitations != nil {
		s.handle("GET /invitations/{token}", "OpenInvitation", s.openInvitation)
		s.handle("GET /invitation", "ShowInvitation", s.showInvitation)
		s.handle("POST /invitation", "AcceptInvitation", s.acceptInvitation)
	}
	if s.config.Authorizations != nil {
		s.handle("POST /sign-in/agree", "AgreeToAuthorization", s.agree)
		s.handle("POST /sign-in/refuse", "RefuseAuthorization", s.refuse)
		s.handle("GET /device", "ShowDevice", s.showDevice)
		s.handle("POST /device", "AnswerDevice", s.attempt(s.answerDevice))
	}
}

func (s *Server) handle(pattern, operation string, p page) {
	s.operations[pattern] = operation
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		err := s.config.Limits.Visit(w, s.config.ClientAddress(r))
		if err == nil {
			err = p(w, r)
		}
		if err != nil {
			s.fail(w, r, err)
		}
	})
}

// attempt is a page on which an address has few tries.
func (s *Server) attempt(p page) page {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := s.config.Limits.Attempt(w, s.config.ClientAddress(r)); err != nil {
			return err
		}
		return p(w, r)
	}
}

// Operations names the pages by pattern, for metrics and logs, and for whoever
// routes to them.
func (s *Server) Operations() map[string]string { return s.operations }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	guard(w.Header())
	s.handler.ServeHTTP(w, r)
}

// guard sets the headers by which browsers keep what is not ours out. Forms
// go to us alone: where a form leads on to another site, a page stands between.
// The referrer stays within this cloud; without any, browsers would not say
// either from where a form comes.
func guard(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

func (s *Server) origin(w http.ResponseWriter, r *http.Request) cloud.Origin {
	return cloud.Origin{RequestID: w.Header().Get("X-Request-Id"), Address: s.config.ClientAddress(r)}
}
