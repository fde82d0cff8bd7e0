package storetest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func mailed(n int, due time.Time) cloud.Mail {
	return cloud.Mail{
		ID: id(n), Kind: cloud.MailCode, Recipient: "Ada@example.com", Reference: "hash", CreatedAt: now, ExpiresAt: now.Add(time.Hour),
		DueAt: due, State: cloud.MailPending,
	}
}

// lease takes the next mail; the zero one if none is due.
func lease(t *testing.T, s cloud.Store, at time.Time) (m cloud.Mail) {
	t.Helper()
	err := s.Write(t.Context(), func(w cloud.Writer) (err error) {
		m, err = w.LeaseMail(at, at.Add(time.Minute))
		return err
	})
	if err != nil && cloud.CodeOf(err) != cloud.CodeNotFound {
		t.Fatalf("LeaseMail: %v", err)
	}
	return m
}

func testMails(t *testing.T, open func() cloud.Store) {
	s := open()
	late, early, soon := mailed(901, now), mailed(902, now.Add(-time.Second)), mailed(903, now.Add(time.Second))
	write(t, s, func(w cloud.Writer) error {
		return first(w.EnqueueMail(late), w.EnqueueMail(soon), w.EnqueueMail(early))
	})
	refused(t, s, cloud.CodeConflict, "mail", func(w cloud.Writer) error { return w.EnqueueMail(late) })

	leased := func(m cloud.Mail, at time.Time) cloud.Mail {
		m.Attempts++
		m.DueAt = at.Add(time.Minute)
		return m
	}
	at := early.DueAt
	early, late = leased(early, at), leased(late, now)
	equal(t, "the first mail", lease(t, s, at), early)
	equal(t, "the mail before the second is due", lease(t, s, at), cloud.Mail{})
	equal(t, "the second mail", lease(t, s, now), late)
	equal(t, "the mail before the third is due", lease(t, s, soon.DueAt.Add(-time.Microsecond)), cloud.Mail{})
	soon = leased(soon, soon.DueAt)
	equal(t, "the third mail", lease(t, s, now.Add(time.Second)), soon)

	// An attempt of which nothing was heard is made again; one that failed, later.
	again := early.DueAt
	early = leased(early, again)
	equal(t, "the first mail again", lease(t, s, again), early)
	late.DueAt, late.Error = now.Add(10*time.Minute), "the server is away"
	write(t, s, func(w cloud.Writer) error {
		return first(
			w.SettleMail(early.ID, cloud.MailSent, now.Add(time.Minute), ""),
			w.SettleMail(late.ID, cloud.MailPending, late.DueAt, late.Error),
			w.SettleMail(soon.ID, cloud.MailFailed, now.Add(time.Minute), "no such mailbox"),
		)
	})
	equal(t, "the mail while none is due", lease(t, s, late.DueAt.Add(-time.Microsecond)), cloud.Mail{})
	late = leased(late, late.DueAt)
	equal(t, "the second mail again", lease(t, s, now.Add(10*time.Minute)), late)
	refused(t, s, cloud.CodeNotFound, "mail", func(w cloud.Writer) error {
		return w.SettleMail(early.ID, cloud.MailPending, again, "an attempt that took longer than its lease")
	})
	refused(t, s, cloud.CodeNotFound, "mail", func(w cloud.Writer) error { return w.SettleMail(id(1), cloud.MailSent, again, "") })

	// One that is of no use any more is not sent.
	write(t, s, func(w cloud.Writer) error { return w.SettleMail(late.ID, cloud.MailPending, now, "") })
	equal(t, "the mail at its end", lease(t, s, late.ExpiresAt), cloud.Mail{})
}

func testMailsCounted(t *testing.T, open func() cloud.Store) {
	s := open()
	invitation, elsewhere := mailed(904, now), mailed(905, now)
	invitation.Kind, elsewhere.Recipient = cloud.MailInvitation, "ben@example.com"
	later := mailed(902, now)
	later.CreatedAt = now.Add(time.Minute)
	write(t, s, func(w cloud.Writer) error {
		return first(w.EnqueueMail(mailed(901, now)), w.EnqueueMail(later), w.EnqueueMail(invitation), w.EnqueueMail(elsewhere))
	})
	for since, want := range map[time.Duration]int64{-time.Hour: 2, 0: 2, time.Microsecond: 1, time.Minute: 1, time.Hour: 0} {
		got := read(t, s, func(r cloud.Reader) (int64, error) {
			return r.CountMails(cloud.MailCode, "ADA@example.com", now.Add(since))
		})
		equal(t, "the mails since "+since.String(), got, want)
	}
	adas, bens := mailed(906, now), mailed(907, now)
	adas.Recipient, adas.Sender, bens.Recipient, bens.Sender = "kim@example.com", ada.ID, "kim@example.com", ben.ID
	write(t, s, func(w cloud.Writer) error {
		return first(w.HoldRecipient("Kim@example.com", now), w.HoldRecipient("kim@example.com", now), w.EnqueueMail(adas), w.EnqueueMail(bens))
	})
	for sender, want := range map[cloud.ID]int64{ada.ID: 1, ben.ID: 1, "": 0} {
		got := read(t, s, func(r cloud.Reader) (int64, error) { return r.CountMailsBy(sender, now) })
		equal(t, "the mails of "+string(sender), got, want)
		got = read(t, s, func(r cloud.Reader) (int64, error) { return r.CountMailsBy(sender, now.Add(time.Microsecond)) })
		equal(t, "the mails of "+string(sender)+" since then", got, int64(0))
	}
	end := mailed(901, now).ExpiresAt.Add(cloud.MailRetention)
	for _, step := range []struct {
		at   time.Time
		want int64
	}{{end.Add(-time.Microsecond), 2}, {end, 0}} {
		write(t, s, func(w cloud.Writer) error { return w.DeleteExpired(step.at) })
		got := read(t, s, func(r cloud.Reader) (int64, error) { return r.CountMails(cloud.MailCode, "ada@example.com", now) })
		equal(t, "the mails kept at "+step.at.String(), got, step.want)
	}
}

// Several that lease at once get all mails, and none twice.
func testMailsInParallel(t *testing.T, open func() cloud.Store) {
	s := open()
	var want []cloud.ID
	write(t, s, func(w cloud.Writer) error {
		want = nil
		for n := range racers {
			want = append(want, id(901+n))
			if err := w.EnqueueMail(mailed(901+n, now)); err != nil {
				return err
			}
		}
		return nil
	})
	var mu sync.Mutex
	var got []cloud.ID
	stores := []cloud.Store{open(), open()}
	var group sync.WaitGroup
	for n := range racers {
		group.Go(func() {
			m := lease(t, stores[n%len(stores)], now)
			mu.Lock()
			defer mu.Unlock()
			got = append(got, m.ID)
		})
	}
	group.Wait()
	slices.Sort(got)
	equal(t, "the mails that were leased", got, want)
}

// An invitation shows what became of the mail with its latest link.
func testInvitationMail(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	dora := invite(401, acme.ID, "Dora@example.com", now)
	write(t, s, func(w cloud.Writer) error { return w.CreateInvitation(dora) })
	check := func(what string, want cloud.Invitation) {
		t.Helper()
		for _, got := range []cloud.Invitation{
			read(t, s, func(r cloud.Reader) (cloud.Invitation, error) { return r.Invitation(acme.ID, dora.ID, now) }),
			read(t, s, func(r cloud.Reader) (cloud.Invitation, error) { return r.InvitationByID(dora.ID, now) }),
			read(t, s, func(r cloud.Reader) ([]cloud.Invitation, error) { return r.Invitations(acme.ID, now, cloud.Page{}) })[0],
			read(t, s, func(r cloud.Reader) ([]cloud.Invitation, error) {
				return r.InvitationsTo([]cloud.Email{dora.Email}, now)
			})[0],
		} {
			equal(t, what, got, want)
		}
	}
	about := func(n int, generation int64) cloud.Mail {
		m := mailed(n, now)
		m.Kind, m.Reference, m.Generation = cloud.MailInvitation, string(dora.ID), generation
		return m
	}
	check("an invitation without a mail", dora)
	write(t, s, func(w cloud.Writer) error { return w.EnqueueMail(about(901, 0)) })
	dora.Mail = cloud.MailPending
	check("one whose mail waits", dora)
	write(t, s, func(w cloud.Writer) error { return w.SettleMail(id(901), cloud.MailFailed, now, "no such mailbox") })
	dora.Mail, dora.MailError = cloud.MailFailed, "no such mailbox"
	check("one whose mail failed", dora)
	write(t, s, func(w cloud.Writer) error { return w.EnqueueMail(about(902, 0)) })
	dora.Mail, dora.MailError = cloud.MailPending, ""
	check("one with another mail", dora)

	write(t, s, func(w cloud.Writer) error {
		_, err := w.RenewInvitation(acme.ID, dora.ID, now, dora.ExpiresAt)
		return err
	})
	dora.Generation, dora.Mail = 1, ""
	check("one that was renewed", dora)
	write(t, s, func(w cloud.Writer) error {
		return first(w.EnqueueMail(about(903, 1)), w.SettleMail(id(903), cloud.MailSent, now, ""), w.SettleMail(id(902), cloud.MailFailed, now, "late"))
	})
	dora.Mail = cloud.MailSent
	check("one whose new mail was sent", dora)
}
