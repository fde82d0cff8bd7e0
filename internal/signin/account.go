package signin

import (
	"net/http"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
)

// signedIn returns who is signed in, or sends nobody to sign in and come back:
// then it has answered, and the visitor is nil.
func (s *Server) signedIn(w http.ResponseWriter, r *http.Request, back string) (*control.Visitor, error) {
	v, err := s.visitor(r)
	if err == nil && v == nil {
		err = redirect(w, r, withReturn("/sign-in", back))
	}
	return v, err
}

// account is what the page of an account shows.
type account struct {
	Ways []way
	Only bool // there is one way in
	choice
}

// way is a way in as it is shown.
type way struct {
	cloud.Identity
	Title   string
	Present bool // the visitor came in by it
}

func (s *Server) showAccount(w http.ResponseWriter, r *http.Request) error {
	v, err := s.signedIn(w, r, accountPath)
	if err != nil || v == nil {
		return err
	}
	identities, err := s.config.Entrance.Ways(r.Context(), *v)
	if err != nil {
		return err
	}
	a := account{Only: len(identities) == 1, choice: s.choice(accountPath)}
	for _, i := range identities {
		a.Ways = append(a.Ways, way{
			Identity: i, Title: s.titleOf(i.Issuer), Present: i.Issuer == v.Session.Issuer && i.Subject == v.Session.Subject,
		})
	}
	return render(w, http.StatusOK, "account", frame{Title: "Your account", User: &v.User, Data: a})
}

// titleOf names an issuer: also one that the operator no longer has.
func (s *Server) titleOf(issuer string) string {
	if issuer == cloud.MailIssuer {
		return "Code by mail"
	}
	for _, p := range s.config.Providers {
		if p.Issuer() == issuer {
			return p.Title()
		}
	}
	return issuer
}

func (s *Server) unlink(w http.ResponseWriter, r *http.Request) error {
	err := s.config.Entrance.Unlink(r.Context(), s.cookies.get(r, sessionCookie), r.FormValue("issuer"), r.FormValue("subject"), s.origin(w, r))
	if err != nil {
		return err
	}
	return redirect(w, r, accountPath)
}

// departure is where a program wants a browser that has signed out.
type departure struct{ Client, Redirect, State string }

func departureOf(r *http.Request) departure {
	return departure{Client: r.FormValue("client_id"), Redirect: r.FormValue("post_logout_redirect_uri"), State: r.FormValue("state")}
}

func (s *Server) showSignOut(w http.ResponseWriter, r *http.Request) error {
	v, err := s.visitor(r)
	if err != nil {
		return err
	}
	if v == nil {
		return s.signedOut(w)
	}
	return render(w, http.StatusOK, "signout", frame{Title: "Sign out", User: &v.User, Data: departureOf(r)})
}

func (s *Server) signOut(w http.ResponseWriter, r *http.Request) error {
	if err := s.config.Entrance.SignOut(r.Context(), s.cookies.get(r, sessionCookie), s.origin(w, r)); err != nil {
		return err
	}
	s.cookies.clear(w, sessionCookie)
	d := departureOf(r)
	if d.Redirect == "" || s.config.Authorizations == nil {
		return redirect(w, r, "/sign-out")
	}
	to, err := s.config.Authorizations.AfterSignOut(r.Context(), d.Client, d.Redirect, d.State)
	if err != nil {
		return cloud.Invalid("you are signed out; the program that you came from wants you somewhere that is not its own")
	}
	return hop(w, to, "the program that you came from")
}

func (s *Server) signOutEverywhere(w http.ResponseWriter, r *http.Request) error {
	if err := s.config.Entrance.SignOutEverywhere(r.Context(), s.cookies.get(r, sessionCookie), s.origin(w, r)); err != nil {
		return err
	}
	s.cookies.clear(w, sessionCookie)
	return redirect(w, r, "/sign-out")
}

func (s *Server) signedOut(w http.ResponseWriter) error {
	return renderMessage(w, nil, message{Title: "You are signed out", Text: "Close this window, or sign in again.", Link: "/sign-in", Label: "Sign in"})
}

// message is a page that only says something.
type message struct{ Title, Text, Link, Label string }

func renderMessage(w http.ResponseWriter, user *cloud.User, m message) error {
	return render(w, http.StatusOK, "message", frame{Title: m.Title, User: user, Data: m})
}
