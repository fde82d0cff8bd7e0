package signin

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/penstock-cloud/penstock/internal/auth/provider"
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
)

// visitor returns who is signed in; nil for nobody.
func (s *Server) visitor(r *http.Request) (*control.Visitor, error) {
	v, err := s.config.Entrance.Visitor(r.Context(), s.cookies.get(r, sessionCookie))
	if cloud.CodeOf(err) == cloud.CodeUnauthenticated {
		return nil, nil //nolint:nilnil // nobody is
	}
	return &v, err
}

func redirect(w http.ResponseWriter, r *http.Request, to string) error {
	http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // a path of ours, or what returnPath made one
	return nil
}

// choice is the ways in, on the page where one is chosen.
type choice struct {
	Client        string   // the program for which somebody signs in; "" for none
	Authorization cloud.ID // by which it asks
	ReturnTo      string
	Codes         bool
	Providers     []*provider.Provider
	Email         string
}

func (s *Server) choice(returnTo string) choice {
	return choice{ReturnTo: returnTo, Codes: s.config.Codes, Providers: s.config.Providers}
}

// showSignIn shows the ways in. A program's request for authorization comes
// here too: whoever is signed in goes on to the program at once.
func (s *Server) showSignIn(w http.ResponseWriter, r *http.Request) error {
	v, err := s.visitor(r)
	if err != nil {
		return err
	}
	if r.FormValue("authorization") != "" && s.config.Authorizations != nil {
		return s.authorize(w, r, v)
	}
	to := returnPath(r.FormValue("return_to"))
	if v != nil {
		return redirect(w, r, to)
	}
	return render(w, http.StatusOK, "signin", frame{Title: "Sign in", Data: s.choice(to)})
}

// authorize lets whoever is signed in, as late as the program wants, go on to
// it, and asks before who may not know of it; everybody else signs in first, and
// comes back here.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request, v *control.Visitor) error {
	id, request, err := s.requested(r)
	if err != nil {
		return err
	}
	if v == nil || v.Session.CreatedAt.Before(request.SignInAfter) {
		return s.renderSignInFor(w, id, request)
	}
	if v.Session.CreatedAt.Before(request.AskBefore) {
		data := choice{Client: request.Client, Authorization: id}
		return render(w, http.StatusOK, "agree", frame{Title: "Let a program in", User: &v.User, Data: data})
	}
	return s.goOn(w, r, v, id, request)
}

// agree is the answer of who was asked.
func (s *Server) agree(w http.ResponseWriter, r *http.Request) error {
	id, request, err := s.requested(r)
	if err != nil {
		return err
	}
	v, err := s.signedIn(w, r, signInFor(id))
	if err != nil || v == nil {
		return err
	}
	if v.Session.CreatedAt.Before(request.SignInAfter) {
		return s.renderSignInFor(w, id, request)
	}
	return s.goOn(w, r, v, id, request)
}

func signInFor(id cloud.ID) string {
	return "/sign-in?" + url.Values{"authorization": {string(id)}}.Encode()
}

func (s *Server) renderSignInFor(w http.ResponseWriter, id cloud.ID, request Request) error {
	c := s.choice(signInFor(id))
	c.Client, c.Authorization, c.Email = request.Client, id, request.LoginHint
	return render(w, http.StatusOK, "signin", frame{Title: "Sign in", Data: c})
}

func (s *Server) goOn(w http.ResponseWriter, r *http.Request, v *control.Visitor, id cloud.ID, request Request) error {
	callback, err := s.config.Authorizations.Agree(r.Context(), id, v.User.ID, v.Session.CreatedAt)
	if err != nil {
		return err
	}
	return hop(w, callback, request.Client)
}

// refuse lets a program know that nobody signs in.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request) error {
	id, request, err := s.requested(r)
	if err != nil {
		return err
	}
	callback, err := s.config.Authorizations.Refuse(r.Context(), id)
	if err != nil {
		return err
	}
	return hop(w, callback, request.Client)
}

// requested is for which program somebody is to sign in.
func (s *Server) requested(r *http.Request) (id cloud.ID, request Request, err error) {
	if id, err = cloud.ParseID(r.FormValue("authorization")); err == nil {
		request, err = s.config.Authorizations.Describe(r.Context(), id)
	}
	return id, request, err
}

func (s *Server) beginning(r *http.Request) control.Beginning {
	return control.Beginning{
		ReturnTo: returnPath(r.FormValue("return_to")),
		Link:     r.FormValue("link") != "",
		Session:  s.cookies.get(r, sessionCookie),
	}
}

func (s *Server) finish(w http.ResponseWriter, r *http.Request) control.Finish {
	return control.Finish{
		Browser: s.cookies.get(r, signInCookie), Session: s.cookies.get(r, sessionCookie), Origin: s.origin(w, r),
	}
}

func (s *Server) sendCode(w http.ResponseWriter, r *http.Request) error {
	email := r.FormValue("email")
	begin := s.beginning(r)
	started, err := s.config.Entrance.BeginCode(r.Context(), begin, email)
	if cloud.CodeOf(err) == cloud.CodeInvalid && !begin.Link {
		c := s.choice(begin.ReturnTo)
		c.Email = email
		status, message := s.explain(w, r, err)
		return render(w, status, "signin", frame{Title: "Sign in", Error: message, Data: c})
	}
	if err != nil {
		return err
	}
	s.config.Wake()
	s.cookies.set(w, signInCookie, started.Browser, cloud.SignInTTL)
	return redirect(w, r, "/sign-in/code")
}

func (s *Server) showCode(w http.ResponseWriter, r *http.Request) error {
	return s.renderCode(w, r, http.StatusOK, "")
}

func (s *Server) renderCode(w http.ResponseWriter, r *http.Request, status int, refused string) error {
	email, err := s.config.Entrance.CodeAddress(r.Context(), s.cookies.get(r, signInCookie))
	if err != nil {
		return err
	}
	return render(w, status, "code", frame{Title: "Enter the code", Error: refused, Data: email})
}

// plainCode drops what people write between the digits.
var plainCode = strings.NewReplacer(" ", "", "-", "", "\u00a0", "")

func (s *Server) finishCode(w http.ResponseWriter, r *http.Request) error {
	entered, err := s.config.Entrance.FinishCode(r.Context(), s.finish(w, r), plainCode.Replace(r.FormValue("code")))
	if control.IsWrongCode(err) {
		return s.renderCode(w, r, http.StatusForbidden, err.Error())
	}
	if err != nil {
		return err
	}
	return s.enter(w, r, entered)
}

func (s *Server) enter(w http.ResponseWriter, r *http.Request, entered control.Entered) error {
	s.cookies.clear(w, signInCookie)
	if entered.Session.Reveal() != "" {
		s.cookies.set(w, sessionCookie, entered.Session, cloud.SessionTTL)
	}
	return redirect(w, r, returnPath(entered.ReturnTo))
}

func (s *Server) provider(r *http.Request) (*provider.Provider, error) {
	for _, p := range s.config.Providers {
		if p.Name() == r.PathValue("provider") {
			return p, nil
		}
	}
	return nil, cloud.NotFound("there is no such provider; go back to the sign-in page for those there are")
}

func (s *Server) beginProvider(w http.ResponseWriter, r *http.Request) error {
	p, err := s.provider(r)
	if err != nil {
		return err
	}
	started, err := s.config.Entrance.BeginProvider(r.Context(), s.beginning(r), p.Name())
	if err != nil {
		return err
	}
	to, err := p.AuthURL(r.Context(), started.State, started.Nonce, started.Verifier)
	if cloud.CodeOf(err) == cloud.CodeUnavailable {
		s.explain(w, r, err)
		return s.renderAway(w, p)
	}
	if err != nil {
		return err
	}
	s.cookies.set(w, signInCookie, started.Browser, cloud.SignInTTL)
	return hop(w, to, p.Title())
}

func (s *Server) renderAway(w http.ResponseWriter, p *provider.Provider) error {
	return render(w, http.StatusServiceUnavailable, "error", frame{
		Title: p.Title() + " does not answer", Error: p.Title() + " cannot be reached just now, so nobody can sign in with it; try again in a minute",
	})
}

func (s *Server) finishProvider(w http.ResponseWriter, r *http.Request) error {
	p, err := s.provider(r)
	if err != nil {
		return err
	}
	signIn, err := s.config.Entrance.TakeProvider(r.Context(), s.cookies.get(r, signInCookie), p.Name(), r.FormValue("state"))
	if err != nil {
		return err
	}
	s.cookies.clear(w, signInCookie)
	if r.FormValue("error") != "" || r.FormValue("code") == "" {
		return cloud.Forbidden("%s did not let you in, or you turned back there; begin anew", p.Title())
	}
	said, err := p.Finish(r.Context(), provider.Answer{Code: r.FormValue("code"), Issuer: r.FormValue("iss")}, signIn.Nonce, signIn.Verifier)
	if cloud.CodeOf(err) == cloud.CodeUnavailable {
		s.explain(w, r, err)
		return s.renderAway(w, p)
	}
	if err != nil {
		s.config.Log.InfoContext(r.Context(), "a provider's answer was not believed", "provider", p.Name(), "error", err)
		return err
	}
	entered, err := s.config.Entrance.FinishProvider(r.Context(), s.finish(w, r), signIn, said)
	if err != nil {
		return err
	}
	return s.enter(w, r, entered)
}
