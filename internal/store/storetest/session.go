package storetest

import (
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func testSessions(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	session := func(hash cloud.SecretHash, user cloud.User) cloud.Session {
		return cloud.Session{
			Hash: hash, UserID: user.ID, Issuer: cloud.MailIssuer, Subject: user.Email.Key(), CreatedAt: now, ExpiresAt: now.Add(cloud.SessionTTL),
		}
	}
	desk, phone, bens := session("desk", ada), session("phone", ada), session("ben's", ben)
	write(t, s, func(w cloud.Writer) error {
		return first(w.CreateSession(desk), w.CreateSession(phone), w.CreateSession(bens))
	})
	get := func(hash cloud.SecretHash, at time.Time) func(cloud.Reader) (cloud.Session, error) {
		return func(r cloud.Reader) (cloud.Session, error) { return r.Session(hash, at) }
	}
	equal(t, "the session at its last instant", read(t, s, get("desk", desk.ExpiresAt.Add(-time.Microsecond))), desk)
	missing(t, s, "an expired session", get("desk", desk.ExpiresAt))
	missing(t, s, "an unknown session", get("nobody's", now))
	refused(t, s, cloud.CodeConflict, "", func(w cloud.Writer) error { return w.CreateSession(session("desk", ben)) })
	refused(t, s, cloud.CodeNotFound, "", func(w cloud.Writer) error { return w.CreateSession(session("new", cloud.User{ID: id(1)})) })

	for range 2 {
		write(t, s, func(w cloud.Writer) error { return w.DeleteSession("desk") })
	}
	missing(t, s, "a session that was ended", get("desk", now))
	equal(t, "another session", read(t, s, get("phone", now)), phone)
	for range 2 {
		write(t, s, func(w cloud.Writer) error { return w.DeleteSessions(ada.ID) })
	}
	missing(t, s, "the other one when all were ended", get("phone", now))
	equal(t, "the session of somebody else", read(t, s, get("ben's", now)), bens)
}
