package storetest

import (
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func identified(user cloud.User, issuer, subject string) cloud.Identity {
	return cloud.Identity{
		Issuer: issuer, Subject: subject, UserID: user.ID, Email: user.Email, CreatedAt: now, LastUsedAt: now.Add(time.Minute),
	}
}

func testIdentities(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	const issuer = "https://login.example.com"
	byMail, first1, first2 := identified(ada, cloud.MailIssuer, ada.Email.Key()), identified(ada, issuer, "a"), identified(ada, issuer, "b")
	bens := identified(ben, issuer, "A") // another subject: they are told apart by case
	write(t, s, func(w cloud.Writer) error {
		return first(w.CreateIdentity(byMail), w.CreateIdentity(first2), w.CreateIdentity(first1), w.CreateIdentity(bens))
	})
	get := func(issuer, subject string) func(cloud.Reader) (cloud.Identity, error) {
		return func(r cloud.Reader) (cloud.Identity, error) { return r.Identity(issuer, subject) }
	}
	of := func(user cloud.User) []cloud.Identity {
		return read(t, s, func(r cloud.Reader) ([]cloud.Identity, error) { return r.Identities(user.ID) })
	}
	equal(t, "the identity", read(t, s, get(issuer, "a")), first1)
	equal(t, "the identity of another case", read(t, s, get(issuer, "A")), bens)
	equal(t, "Ada's identities", of(ada), []cloud.Identity{first1, first2, byMail})
	equal(t, "Cleo's identities", of(cleo), []cloud.Identity{})
	missing(t, s, "an unknown subject", get(issuer, "c"))
	missing(t, s, "the subject at another issuer", get("https://other.example.com", "a"))

	refused(t, s, cloud.CodeConflict, "account", func(w cloud.Writer) error { return w.CreateIdentity(identified(ben, issuer, "a")) })
	equal(t, "the identity that was asked for twice", read(t, s, get(issuer, "a")), first1)
	refused(t, s, cloud.CodeNotFound, "", func(w cloud.Writer) error {
		return w.CreateIdentity(identified(cloud.User{ID: id(1)}, issuer, "d"))
	})

	first1.Email, first1.LastUsedAt = "Ada.L@example.com", now.Add(time.Hour)
	write(t, s, func(w cloud.Writer) error { return w.UseIdentity(issuer, "a", first1.Email, first1.LastUsedAt) })
	equal(t, "the identity after a use", read(t, s, get(issuer, "a")), first1)
	refused(t, s, cloud.CodeNotFound, "", func(w cloud.Writer) error { return w.UseIdentity(issuer, "c", "", now) })

	write(t, s, func(w cloud.Writer) error { return w.DeleteIdentity(issuer, "b") })
	equal(t, "Ada's identities after one was removed", of(ada), []cloud.Identity{first1, byMail})
	refused(t, s, cloud.CodeNotFound, "", func(w cloud.Writer) error { return w.DeleteIdentity(issuer, "b") })
}

// Of several accounts that claim one subject one gets it.
func testIdentitiesInParallel(t *testing.T, open func() cloud.Store) {
	setTheStage(t, open())
	users := []cloud.User{ada, ben, cleo}
	errs := race(t, open, func(w cloud.Writer, n int) error {
		return w.CreateIdentity(identified(users[n%len(users)], "https://login.example.com", "a"))
	})
	win(t, "claims of a subject", errs, 1, cloud.CodeConflict)
}

func testUserUpdate(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	get := func() cloud.User {
		return read(t, s, func(r cloud.Reader) (cloud.User, error) { return r.User(ada.ID) })
	}
	changed := ada
	changed.Name, changed.Email = "Ada L.", "ADA@example.com"
	write(t, s, func(w cloud.Writer) error { return w.UpdateUser(ada.ID, changed.Name, changed.Email) })
	equal(t, "the user whose address has another case", get(), changed)
	changed.Email = "lovelace@example.com"
	write(t, s, func(w cloud.Writer) error { return w.UpdateUser(ada.ID, changed.Name, changed.Email) })
	equal(t, "the user of another address", get(), changed)
	missing(t, s, "the former address", func(r cloud.Reader) (cloud.User, error) { return r.UserByEmail(ada.Email) })

	write(t, s, func(w cloud.Writer) error {
		wantCode(t, w.UpdateUser(ada.ID, "Ada", "BEN@example.com"), cloud.CodeConflict, "BEN@example.com")
		return w.MarkAlive(now) // the transaction goes on
	})
	refused(t, s, cloud.CodeNotFound, "user", func(w cloud.Writer) error { return w.UpdateUser(id(1), "", "nobody@example.com") })
	equal(t, "the user after refusals", get(), changed)

	for _, kind := range []cloud.UserKind{"", "robot"} {
		refused(t, s, cloud.CodeInvalid, "person", func(w cloud.Writer) error {
			return w.CreateUser(cloud.User{ID: id(204), Email: "dora@example.com", Kind: kind, CreatedAt: now})
		})
	}
}
