package storetest

import (
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func signingIn(hash cloud.SecretHash) cloud.SignIn {
	return cloud.SignIn{
		Hash: hash, Provider: "company", Email: "Ada@example.com", State: "state", Nonce: "nonce", Verifier: cloud.NewSecret("verifier"),
		ReturnTo: "/account", LinkTo: ada.ID, CreatedAt: now, ExpiresAt: now.Add(cloud.SignInTTL),
	}
}

func signInOf(hash cloud.SecretHash, at time.Time) func(cloud.Reader) (cloud.SignIn, error) {
	return func(r cloud.Reader) (cloud.SignIn, error) { return r.SignIn(hash, at) }
}

func testSignIns(t *testing.T, open func() cloud.Store) {
	s := open()
	one, other := signingIn("one"), cloud.SignIn{Hash: "other", CreatedAt: now, ExpiresAt: now.Add(time.Minute)}
	write(t, s, func(w cloud.Writer) error { return first(w.CreateSignIn(one), w.CreateSignIn(other)) })
	last := one.ExpiresAt.Add(-time.Microsecond)
	equal(t, "the sign-in at its last instant", read(t, s, signInOf("one", last)), one)
	missing(t, s, "an expired sign-in", signInOf("one", one.ExpiresAt))
	missing(t, s, "an unknown sign-in", signInOf("nobody's", now))
	refused(t, s, cloud.CodeConflict, "", func(w cloud.Writer) error { return w.CreateSignIn(signingIn("one")) })

	count := func(hash cloud.SecretHash, want int64) {
		t.Helper()
		write(t, s, func(w cloud.Writer) error {
			got, err := w.CountSignInAttempt(hash)
			equal(t, "the attempts", got, want)
			return err
		})
	}
	count("one", 1)
	count("one", 2)
	count("other", 1)
	one.Attempts = 2
	equal(t, "the sign-in after wrong codes", read(t, s, signInOf("one", now)), one)

	refused(t, s, cloud.CodeNotFound, "", func(w cloud.Writer) error {
		_, err := w.TakeSignIn("one", one.ExpiresAt)
		return err
	})
	write(t, s, func(w cloud.Writer) error {
		taken, err := w.TakeSignIn("one", last)
		equal(t, "the sign-in that was taken", taken, one)
		return err
	})
	for what, again := range map[string]func(cloud.Writer) error{
		"to be taken":   func(w cloud.Writer) error { _, err := w.TakeSignIn("one", now); return err },
		"to be counted": func(w cloud.Writer) error { _, err := w.CountSignInAttempt("one"); return err },
	} {
		t.Run(what, func(t *testing.T) { refused(t, s, cloud.CodeNotFound, "", again) })
	}
	missing(t, s, "a sign-in that was taken", signInOf("one", now))
	read(t, s, signInOf("other", now))
}

// Of several that end a sign-in one does, and no wrong code is lost.
func testSignInsInParallel(t *testing.T, open func() cloud.Store) {
	s := open()
	write(t, s, func(w cloud.Writer) error { return w.CreateSignIn(signingIn("one")) })
	errs := race(t, open, func(w cloud.Writer, _ int) error {
		_, err := w.CountSignInAttempt("one")
		return err
	})
	win(t, "wrong codes", errs, racers, "")
	equal(t, "the attempts", read(t, s, signInOf("one", now)).Attempts, int64(racers))

	errs = race(t, open, func(w cloud.Writer, _ int) error {
		if _, err := w.SignIn("one", now); err != nil {
			return err
		}
		_, err := w.TakeSignIn("one", now)
		return err
	})
	win(t, "ends of a sign-in", errs, 1, cloud.CodeNotFound)
}
