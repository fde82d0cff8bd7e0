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
	equal(t, "how many there are", read(t, s, func(r cloud.Reader) (int64, error) { return r.CountInvitations(acme.ID, now) }), int64(2))
	equal(t, "how many there are at their end", read(t, s, func(r cloud.Reader) (int64, error) { return r.CountInvitations(acme.ID, dora.ExpiresAt) }), int64(1))

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

func testInvitationsRenewed(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	dora := invite(401, acme.ID, "Dora@example.com", now)
	dora.Generation = 3
	write(t, s, func(w cloud.Writer) error { return w.CreateInvitation(dora) })
	renew := func(organization cloud.ID, at time.Time) (cloud.Invitation, error) {
		var renewed cloud.Invitation
		err := s.Write(t.Context(), func(w cloud.Writer) (err error) {
			renewed, err = w.RenewInvitation(organization, dora.ID, at, at.Add(cloud.InvitationTTL))
			return err
		})
		return renewed, err
	}
	last := dora.ExpiresAt.Add(-time.Microsecond)
	_, foreign := renew(beta.ID, now)
	_, expired := renew(acme.ID, dora.ExpiresAt)
	for _, err := range []error{foreign, expired} {
		wantCode(t, err, cloud.CodeNotFound, "invitation")
	}
	renewed, err := renew(acme.ID, last)
	if err != nil {
		t.Fatalf("RenewInvitation: %v", err)
	}
	dora.Generation, dora.ExpiresAt = 4, last.Add(cloud.InvitationTTL)
	equal(t, "the renewed invitation", renewed, dora)
	equal(t, "the invitation", read(t, s, func(r cloud.Reader) (cloud.Invitation, error) { return r.InvitationByID(dora.ID, last) }), dora)
}

func take(w cloud.Writer, i cloud.Invitation, at time.Time) error {
	_, err := w.TakeInvitation(i.ID, i.Generation, at)
	return err
}

func testInvitationsTaken(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	toAcme, toBeta := invite(401, acme.ID, "Dora@example.com", now), invite(402, beta.ID, "dora@EXAMPLE.com", now)
	other, elsewhere := invite(403, acme.ID, "dora@work.example", now), invite(404, acme.ID, "emil@example.com", now)
	write(t, s, func(w cloud.Writer) error {
		return first(w.CreateInvitation(toBeta), w.CreateInvitation(toAcme), w.CreateInvitation(other), w.CreateInvitation(elsewhere))
	})
	to := func(at time.Time, emails ...cloud.Email) []cloud.Invitation {
		return read(t, s, func(r cloud.Reader) ([]cloud.Invitation, error) { return r.InvitationsTo(emails, at) })
	}
	equal(t, "the invitations to no address", to(now), []cloud.Invitation{})
	equal(t, "those to one", to(now, "DORA@example.com"), []cloud.Invitation{toAcme, toBeta})
	equal(t, "those to several", to(now, other.Email, "DORA@example.com", toAcme.Email), []cloud.Invitation{toAcme, toBeta, other})
	equal(t, "those that have expired", to(toAcme.ExpiresAt, toAcme.Email), []cloud.Invitation{})

	stale := toAcme
	stale.Generation = 1
	refused(t, s, cloud.CodeNotFound, "invitation", func(w cloud.Writer) error { return take(w, stale, now) })
	refused(t, s, cloud.CodeNotFound, "invitation", func(w cloud.Writer) error { return take(w, toAcme, toAcme.ExpiresAt) })
	write(t, s, func(w cloud.Writer) error {
		taken, err := w.TakeInvitation(toAcme.ID, toAcme.Generation, toAcme.ExpiresAt.Add(-time.Microsecond))
		equal(t, "the invitation that was taken", taken, toAcme)
		return err
	})
	refused(t, s, cloud.CodeNotFound, "invitation", func(w cloud.Writer) error { return take(w, toAcme, now) })
	missing(t, s, "an invitation that was taken", func(r cloud.Reader) (cloud.Invitation, error) { return r.InvitationByID(toAcme.ID, now) })
	equal(t, "those that are left", to(now, toAcme.Email), []cloud.Invitation{toBeta})
}

// Of several that accept one invitation, or take it back, one does.
func testInvitationsInParallel(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	users := []cloud.User{ada, ben, cleo}
	i := invite(401, acme.ID, "dora@example.com", now)
	invited := func(w cloud.Writer) error { return w.CreateInvitation(i) }
	accept := func(w cloud.Writer, n int) error {
		return first(take(w, i, now), w.AddMember(cloud.Member{OrganizationID: acme.ID, User: users[n%len(users)], Role: i.Role, JoinedAt: now}))
	}
	members := func() int {
		return len(read(t, s, func(r cloud.Reader) ([]cloud.Member, error) { return r.Members(acme.ID, cloud.Page{}) }))
	}
	write(t, s, invited)
	win(t, "acceptances", race(t, open, accept), 1, cloud.CodeNotFound)
	equal(t, "the number of members", members(), 1)

	write(t, s, func(w cloud.Writer) error {
		for _, u := range users {
			if err := w.RemoveMember(acme.ID, u.ID); err != nil && cloud.CodeOf(err) != cloud.CodeNotFound {
				return err
			}
		}
		return invited(w)
	})
	errs := race(t, open, func(w cloud.Writer, n int) error {
		if n%2 == 0 {
			return accept(w, n)
		}
		return first(w.LockOrganization(acme.ID), w.DeleteInvitation(acme.ID, i.ID))
	})
	win(t, "an acceptance and a revocation", errs, 1, cloud.CodeNotFound)
	accepted := 0
	for n, err := range errs {
		if n%2 == 0 && err == nil {
			accepted++
		}
	}
	equal(t, "the number of members after acceptances and revocations", members(), accepted)
}
