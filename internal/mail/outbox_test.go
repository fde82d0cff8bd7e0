package mail_test

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// outbox is what a postman needs of a store, in memory: so it can be in a bubble,
// whose clock stands still while anybody waits for a database.
type outbox struct {
	mu          sync.Mutex
	mails       []cloud.Mail // in the order in which they were enqueued
	invitations map[cloud.ID]cloud.Invitation
	signIns     map[cloud.SecretHash]cloud.SignIn
	settleErr   error // of the next SettleMail
	away        error // of everything
}

// The people and things that the mails are about.
var (
	epoch   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	mailKey = cloud.NewSecret("0123456789abcdef0123456789abcdef")

	organization = cloud.Organization{ID: "0198c0de-0000-7000-8000-00000000000a", Name: "engines", DisplayName: "Analytical Engines"}
	charles      = cloud.User{ID: "0198c0de-0000-7000-8000-00000000000b", Email: "charles@example.com", Name: "Charles Babbage"}
	invitation   = cloud.Invitation{
		ID: "0198c0de-0000-7000-8000-00000000000c", OrganizationID: organization.ID, Email: "ada@example.com",
		Role: cloud.RoleEditor, InvitedBy: charles.ID, CreatedAt: epoch, ExpiresAt: epoch.Add(cloud.InvitationTTL), Generation: 3,
	}
	signIn = cloud.SignIn{Hash: cloud.NewSecret("cookie").Hash(), Email: "ada@example.com", CreatedAt: epoch, ExpiresAt: epoch.Add(cloud.SignInTTL)}

	invitationMail = cloud.Mail{
		ID: "0198c0de-0000-7000-8000-00000000000d", Kind: cloud.MailInvitation, Recipient: invitation.Email, Reference: string(invitation.ID),
		Generation: invitation.Generation, CreatedAt: epoch, ExpiresAt: invitation.ExpiresAt, DueAt: epoch, State: cloud.MailPending,
	}
	codeMail = cloud.Mail{
		ID: "0198c0de-0000-7000-8000-00000000000e", Kind: cloud.MailCode, Recipient: signIn.Email, Reference: string(signIn.Hash),
		CreatedAt: epoch, ExpiresAt: signIn.ExpiresAt, DueAt: epoch, State: cloud.MailPending,
	}
)

func newOutbox(mails ...cloud.Mail) *outbox {
	return &outbox{
		mails:       mails,
		invitations: map[cloud.ID]cloud.Invitation{invitation.ID: invitation},
		signIns:     map[cloud.SecretHash]cloud.SignIn{signIn.Hash: signIn},
	}
}

// Read implements mail.Outbox.
func (o *outbox) Read(ctx context.Context, fn func(cloud.Reader) error) error {
	return o.Write(ctx, func(tx cloud.Writer) error { return fn(tx) })
}

// Write implements mail.Outbox.
func (o *outbox) Write(ctx context.Context, fn func(cloud.Writer) error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.away != nil {
		return o.away
	}
	return fn(transaction{outbox: o})
}

func (o *outbox) enqueue(m cloud.Mail) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.mails = append(o.mails, m)
}

// mail returns one as it is by now.
func (o *outbox) mail(id cloud.ID) cloud.Mail {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.IndexFunc(o.mails, func(m cloud.Mail) bool { return m.ID == id })
	return o.mails[i]
}

// transaction is cloud.Writer as far as a postman goes; the rest panics.
type transaction struct {
	cloud.Writer
	outbox *outbox
}

func (t transaction) LeaseMail(now, until time.Time) (cloud.Mail, error) {
	next := -1
	for i, m := range t.outbox.mails {
		if !m.DueAt.IsZero() && !m.DueAt.After(now) && (next < 0 || m.DueAt.Before(t.outbox.mails[next].DueAt)) {
			next = i
		}
	}
	if next < 0 {
		return cloud.Mail{}, cloud.NotFound("no mail is due")
	}
	m := &t.outbox.mails[next]
	m.Attempts, m.DueAt = m.Attempts+1, until
	return *m, nil
}

func (t transaction) SettleMail(id cloud.ID, state cloud.MailState, due time.Time, cause string) error {
	if err := t.outbox.settleErr; err != nil {
		t.outbox.settleErr = nil
		return err
	}
	for i := range t.outbox.mails {
		if m := &t.outbox.mails[i]; m.ID == id {
			m.State, m.DueAt, m.Error = state, due, cause
			return nil
		}
	}
	return cloud.NotFound("no such mail")
}

func (transaction) Plane() (cloud.Plane, error) { return cloud.Plane{MailKey: mailKey}, nil }

func (t transaction) InvitationByID(id cloud.ID, now time.Time) (cloud.Invitation, error) {
	i, ok := t.outbox.invitations[id]
	if !ok || !now.Before(i.ExpiresAt) {
		return cloud.Invitation{}, cloud.ErrNoInvitation
	}
	return i, nil
}

func (t transaction) SignIn(hash cloud.SecretHash, now time.Time) (cloud.SignIn, error) {
	s, ok := t.outbox.signIns[hash]
	if !ok || !now.Before(s.ExpiresAt) {
		return cloud.SignIn{}, cloud.NotFound("no such sign-in")
	}
	return s, nil
}

func (transaction) Organization(id cloud.ID) (cloud.Organization, error) {
	if id != organization.ID {
		return cloud.Organization{}, cloud.NotFound("no such organization")
	}
	return organization, nil
}

func (transaction) User(id cloud.ID) (cloud.User, error) {
	if id != charles.ID {
		return cloud.User{}, cloud.NotFound("no such user")
	}
	return charles, nil
}
