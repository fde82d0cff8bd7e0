package storetest

import (
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

var sweeping = cloud.Job{Name: "sweeping", Every: time.Hour}

// claim reports whether a job was due.
func claim(t *testing.T, s cloud.Store, job cloud.Job, now time.Time) (due bool) {
	t.Helper()
	write(t, s, func(w cloud.Writer) (err error) {
		due, err = w.ClaimJob(job, now)
		return err
	})
	return due
}

func testJobs(t *testing.T, open func() cloud.Store) {
	a, b := open(), open()
	next := now.Add(sweeping.Every)
	for _, step := range []struct {
		what string
		by   cloud.Store
		now  time.Time
		want bool
	}{
		{"the first time", a, now, true},
		{"again", a, now, false},
		{"by another process", b, now, false},
		{"just before it is due", b, next.Add(-time.Microsecond), false},
		{"when it is due", b, next, true},
		{"when the other one took it", a, next, false},
		{"by a clock that is behind", a, next.Add(-cloud.ClockPlay), false},
		{"after the clock was set back", a, next.Add(-cloud.ClockPlay - time.Microsecond), true},
	} {
		equal(t, "a claim "+step.what, claim(t, step.by, sweeping, step.now), step.want)
	}
	equal(t, "a claim of another job", claim(t, b, cloud.Job{Name: "dusting", Every: time.Hour}, now), true)
}

// A job whose work fails is due as before.
func testJobsFail(t *testing.T, open func() cloud.Store) {
	s := open()
	refused(t, s, cloud.CodeInvalid, "no broom", func(w cloud.Writer) error {
		if _, err := w.ClaimJob(sweeping, now); err != nil {
			return err
		}
		return cloud.Invalid("no broom")
	})
	equal(t, "a claim after a failure", claim(t, s, sweeping, now), true)
}

// What is over is forgotten, and nothing else.
func testExpired(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	old, young := now, now.Add(time.Minute)
	write(t, s, func(w cloud.Writer) error {
		return first(
			w.CreateInvitation(invite(401, acme.ID, "dora@example.com", old)),
			w.CreateInvitation(invite(402, beta.ID, "dora@example.com", old)),
			w.CreateInvitation(invite(403, beta.ID, "emil@example.com", young)),
			w.SaveOutcome(cloud.Outcome{Caller: ada.ID, Key: "old", CreatedAt: old}),
			w.SaveOutcome(cloud.Outcome{Caller: ada.ID, Key: "young", CreatedAt: young}),
		)
	})
	write(t, s, func(w cloud.Writer) error {
		return first(w.DeleteExpiredInvitations(old.Add(cloud.InvitationTTL)), w.DeleteExpiredOutcomes(old.Add(cloud.OutcomeTTL)))
	})
	// Read as of before their end, when they would be found if they were there.
	for organization, want := range map[cloud.ID]int{acme.ID: 0, beta.ID: 1} {
		left := read(t, s, func(r cloud.Reader) ([]cloud.Invitation, error) {
			return r.Invitations(organization, now, cloud.Page{})
		})
		equal(t, "the number of invitations left", len(left), want)
	}
	outcome := func(key string) func(cloud.Reader) (cloud.Outcome, error) {
		return func(r cloud.Reader) (cloud.Outcome, error) { return r.Outcome(ada.ID, key, now) }
	}
	missing(t, s, "an outcome that is over", outcome("old"))
	equal(t, "the outcome left", read(t, s, outcome("young")).Key, "young")
}
