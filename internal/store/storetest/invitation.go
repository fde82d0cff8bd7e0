package storetest

import (
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func invite(n int, organization cloud.ID, email cloud.Email, at time.Time) cloud.Invitation {
	return cloud.Invitation{
		ID: id(n), OrganizationID: organization, Email: email, Role: cloud.RoleEditor, InvitedBy: ada.ID,
		CreatedAt: at, ExpiresAt: at.Add(cloud.InvitationTTL),
	}
}

func testInvitations(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	dora := invite(401, acme.ID, "Dora@example.com", now)
	emil := invite(402, acme.ID, "emil@example.com", now.Add(time.Minute))
	elsewhere := invite(403, beta.ID, dora.Email, now)
	write(t, s, func(w cloud.Writer) error {
		return first(w.CreateInvitation(emil), w.CreateInvitation(dora), w.CreateInvitation(elsewhere))
	})

	get := func(organization, id cloud.ID) func(cloud.Reader) (cloud.Invitation, error) {
		return func(r cloud.Reader) (cloud.Invitation, error) { return r.Invitation(organization, id, now) }
	}
	equal(t, "the invitation", read(t, s, get(acme.ID, dora.ID)), dora)
	missing(t, s, "an invitation of another organization", get(acme.ID, elsewhere.ID))
	pagedIn(t, s, "the invitations", []cloud.Invitation{dora, emil}, func(i cloud.Invitation) string { return string(i.ID) },
		func(r cloud.Reader, p cloud.Page) ([]cloud.Invitation, error) { return r.Invitations(acme.ID, now, p) })

	refused(t, s, cloud.CodeConflict, "dora@EXAMPLE.com", func(w cloud.Writer) error {
		return w.CreateInvitation(invite(404, acme.ID, "dora@EXAMPLE.com", now.Add(time.Hour)))
	})
	refused(t, s, cloud.CodeNotFound, "", func(w cloud.Writer) error {
		return w.CreateInvitation(invite(404, id(1), dora.Email, now))
	})
	refused(t, s, cloud.CodeNotFound, "invitation", func(w cloud.Writer) error { return w.DeleteInvitation(beta.ID, dora.ID) })

	write(t, s, func(w cloud.Writer) error { return w.DeleteInvitation(acme.ID, dora.ID) })
	missing(t, s, "a deleted invitation", get(acme.ID, dora.ID))
	refused(t, s, cloud.CodeNotFound, "invitation", func(w cloud.Writer) error { return w.DeleteInvitation(acme.ID, dora.ID) })
	write(t, s, func(w cloud.Writer) error { return w.CreateInvitation(dora) })
	equal(t, "the one elsewhere", read(t, s, get(beta.ID, elsewhere.ID)), elsewhere)
}

func testInvitationsExpire(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	old := invite(401, acme.ID, "dora@example.com", now)
	write(t, s, func(w cloud.Writer) error { return w.CreateInvitation(old) })

	at := func(now time.Time) func(cloud.Reader) (cloud.Invitation, error) {
		return func(r cloud.Reader) (cloud.Invitation, error) { return r.Invitation(acme.ID, old.ID, now) }
	}
	list := func(now time.Time) []cloud.Invitation {
		return read(t, s, func(r cloud.Reader) ([]cloud.Invitation, error) {
			return r.Invitations(acme.ID, now, cloud.Page{})
		})
	}
	last := old.ExpiresAt.Add(-time.Microsecond)
	equal(t, "the invitation at its last instant", read(t, s, at(last)), old)
	equal(t, "the invitations at its last instant", list(last), []cloud.Invitation{old})
	missing(t, s, "an expired invitation", at(old.ExpiresAt))
	equal(t, "the number of invitations after it", len(list(old.ExpiresAt)), 0)

	early := invite(402, acme.ID, "DORA@example.com", last)
	refused(t, s, cloud.CodeConflict, "pending", func(w cloud.Writer) error { return w.CreateInvitation(early) })
	next := invite(402, acme.ID, "DORA@example.com", old.ExpiresAt)
	write(t, s, func(w cloud.Writer) error { return w.CreateInvitation(next) })
	equal(t, "the invitations after another try", list(old.ExpiresAt), []cloud.Invitation{next})
}
