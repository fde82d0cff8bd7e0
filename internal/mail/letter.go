package mail

import (
	"errors"
	"net/url"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// errNotNeeded is of a mail about what is gone, or that another one has taken
// the place of.
var errNotNeeded = &Failure{Cause: "it was not needed any longer when it was about to be sent", Final: true}

// letters makes messages of what the outbox has.
type letters struct {
	base string // the plane's URL, without a slash at the end
	site string // its host
}

func newLetters(publicURL string) (letters, error) {
	u, err := url.Parse(publicURL)
	if err != nil || u.Host == "" || u.Path != "" && u.Path != "/" {
		return letters{}, cloud.Invalid("the plane's URL must be like https://cloud.example.com; got %q", publicURL)
	}
	return letters{base: u.Scheme + "://" + u.Host, site: u.Host}, nil
}

// write makes the message of a mail, with its link or code: errNotNeeded unless
// that would be good for something at now.
func (l letters) write(tx cloud.Reader, m cloud.Mail, now time.Time) (Message, error) {
	if !now.Before(m.ExpiresAt) {
		return Message{}, errNotNeeded
	}
	plane, err := tx.Plane()
	if err != nil {
		return Message{}, err
	}
	var subject string
	var words any
	switch m.Kind {
	case cloud.MailInvitation:
		subject, words, err = l.invitation(tx, m, plane.MailKey, now)
	case cloud.MailCode:
		subject, words, err = l.code(tx, m, plane.MailKey, now)
	default:
		return Message{}, &Failure{Cause: "this release does not know this kind of mail", Final: true}
	}
	if err != nil {
		return Message{}, err
	}
	text, html, err := write(m.Kind, words)
	return Message{ID: m.ID, To: m.Recipient, Subject: subject, Text: text, HTML: html, Date: now}, err
}

func (l letters) invitation(tx cloud.Reader, m cloud.Mail, key cloud.Secret, now time.Time) (string, any, error) {
	i, err := tx.InvitationByID(cloud.ID(m.Reference), now)
	if err != nil {
		return "", nil, goneIfNotFound(err)
	}
	if i.Generation != m.Generation || i.Email.Key() != m.Recipient.Key() {
		return "", nil, errNotNeeded
	}
	o, err := tx.Organization(i.OrganizationID)
	if err != nil {
		return "", nil, goneIfNotFound(err)
	}
	inviter, err := inviterOf(tx, i)
	if err != nil {
		return "", nil, err
	}
	w := invitationWords{
		Site: l.site, Recipient: m.Recipient, Inviter: inviter, Organization: oneLine(o.DisplayName), Role: i.Role, May: may[i.Role],
		Link:  l.base + "/invitations/" + cloud.InvitationToken(key, i.ID, i.Generation).Reveal(),
		Until: moment(i.ExpiresAt),
	}
	if w.Organization == "" {
		w.Organization = o.Name
	}
	w.Subject = "You are invited to " + w.Organization
	if inviter != "" {
		w.Subject = inviter + " invites you to " + w.Organization
	}
	return w.Subject, w, nil
}

// inviterOf is the name of who made an invitation, and else the address.
func inviterOf(tx cloud.Reader, i cloud.Invitation) (string, error) {
	u, err := tx.User(i.InvitedBy)
	switch {
	case cloud.CodeOf(err) == cloud.CodeNotFound:
		return "", nil
	case err != nil:
		return "", err
	case oneLine(u.Name) != "":
		return oneLine(u.Name), nil
	default:
		return oneLine(string(u.Email)), nil
	}
}

func (l letters) code(tx cloud.Reader, m cloud.Mail, key cloud.Secret, now time.Time) (string, any, error) {
	s, err := tx.SignIn(cloud.SecretHash(m.Reference), now)
	if err != nil {
		return "", nil, goneIfNotFound(err)
	}
	if s.Email.Key() != m.Recipient.Key() {
		return "", nil, errNotNeeded
	}
	w := codeWords{
		Subject: "Your code to sign in to " + l.site, Site: l.site,
		Code: cloud.SignInCode(key, s.Hash).Reveal(), AskedAt: moment(s.CreatedAt),
		Minutes: int(cloud.SignInTTL / time.Minute),
	}
	return w.Subject, w, nil
}

func goneIfNotFound(err error) error {
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		return errNotNeeded
	}
	return err
}

// asFailure sorts what came of writing and sending a mail: what is no Failure is
// of the database, and passes.
func asFailure(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return &Failure{Cause: "the mail could not be written just now", OfServer: true, detail: err}
}
