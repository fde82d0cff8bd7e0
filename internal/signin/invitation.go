package signin

import (
	"net/http"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// invitationLife is how long a browser keeps the token of a link: a while to
// sign in, or up.
const invitationLife = time.Hour

const invitationPath = "/invitation"

// openInvitation is where the link of a mail leads. The token goes into a
// cookie, so that neither a page's address nor the way back from signing in
// holds it.
func (s *Server) openInvitation(w http.ResponseWriter, r *http.Request) error {
	token := cloud.NewSecret(r.PathValue("token"))
	if _, err := s.config.Invitations.Invitation(r.Context(), token); err != nil {
		return err
	}
	s.cookies.set(w, invitationCookie, token, invitationLife)
	return redirect(w, r, invitationPath)
}

// invitation is what the page of one shows.
type invitation struct {
	Invitation
	Masked   string // the address, as far as whoever has the link may see it
	SignIn   string
	SignedIn bool
}

func (s *Server) showInvitation(w http.ResponseWriter, r *http.Request) error {
	return s.renderInvitation(w, r, nil)
}

// renderInvitation shows an invitation, and why it was not accepted.
func (s *Server) renderInvitation(w http.ResponseWriter, r *http.Request, refused error) error {
	v, err := s.visitor(r)
	if err != nil {
		return err
	}
	token := s.cookies.get(r, invitationCookie)
	if token.Reveal() == "" {
		return cloud.NotFound("this browser holds no invitation; open the link in the mail again")
	}
	found, err := s.config.Invitations.Invitation(r.Context(), token)
	if err != nil {
		return err
	}
	f := frame{Title: "Join " + found.Organization}
	data := invitation{Invitation: found, Masked: found.Email.Masked(), SignIn: withReturn("/sign-in", invitationPath), SignedIn: v != nil}
	if v != nil {
		f.User = &v.User
	}
	status := http.StatusOK
	if refused != nil {
		status, f.Error = s.explain(w, r, refused)
	}
	f.Data = data
	return render(w, status, "invitation", f)
}

func (s *Server) acceptInvitation(w http.ResponseWriter, r *http.Request) error {
	v, err := s.signedIn(w, r, invitationPath)
	if err != nil || v == nil {
		return err
	}
	token := s.cookies.get(r, invitationCookie)
	found, err := s.config.Invitations.Invitation(r.Context(), token)
	if err != nil {
		return err
	}
	err = s.config.Invitations.Accept(r.Context(), v.User, token, s.origin(w, r))
	if code := cloud.CodeOf(err); code == cloud.CodeForbidden || code == cloud.CodeConflict {
		return s.renderInvitation(w, r, err)
	}
	if err != nil {
		return err
	}
	s.cookies.clear(w, invitationCookie)
	return renderMessage(w, &v.User, message{
		Title: "Welcome to " + found.Organization, Text: "You are a member now, with the role " + string(found.Role) + ".",
		Link: accountPath, Label: "To your account",
	})
}
