package storetest

import (
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func testPlane(t *testing.T, open func() cloud.Store) {
	s := open()
	made := read(t, s, cloud.Reader.Plane)
	if n := len(made.NonceKey.Reveal()); n != 32 {
		t.Errorf("the nonce key has %d bytes; want 32", n)
	}
	if n := len(made.MailKey.Reveal()); n != 32 || made.MailKey == made.NonceKey {
		t.Errorf("the mail key has %d bytes; want 32 of its own", n)
	}
	equal(t, "the mark of a new plane", made.AliveAt, time.Time{})
	equal(t, "the sum of all else in it", made.HealthRevision+int64(len(made.Outages)+len(made.Issuers)), int64(0))

	write(t, s, func(w cloud.Writer) error { return first(w.MarkAlive(now), w.TouchHealth()) })
	write(t, s, cloud.Writer.TouchHealth)
	equal(t, "the plane", read(t, s, cloud.Reader.Plane), cloud.Plane{
		NonceKey: made.NonceKey, MailKey: made.MailKey, Outages: made.Outages, Issuers: made.Issuers,
		HealthRevision: 2, AliveAt: now,
	})
	again := read(t, open(), cloud.Reader.Plane)
	equal(t, "the nonce key, opened again", again.NonceKey, made.NonceKey)
	equal(t, "the mail key, opened again", again.MailKey, made.MailKey)

	key := cloud.NewSecret("\x00 another one of 32 bytes \xff\xfe\n..."[:32])
	write(t, s, func(w cloud.Writer) error { return w.SetNonceKey(key) })
	equal(t, "the new nonce key", read(t, s, cloud.Reader.Plane).NonceKey, key)
	equal(t, "the mail key beside it", read(t, s, cloud.Reader.Plane).MailKey, made.MailKey)
	next := cloud.NewSecret("\x00 yet another one of 32 bytes \xff\xfe"[:32])
	write(t, s, func(w cloud.Writer) error { return w.SetMailKey(next) })
	equal(t, "the new mail key", read(t, s, cloud.Reader.Plane).MailKey, next)
	equal(t, "the nonce key beside it", read(t, s, cloud.Reader.Plane).NonceKey, key)
}

func testOutages(t *testing.T, open func() cloud.Store) {
	s := open()
	span := func(ago time.Duration) cloud.Outage {
		return cloud.Outage{From: now.Add(-ago - time.Minute), To: now.Add(-ago)}
	}
	const week = 7 * 24 * time.Hour
	forgotten, edge, recent, last := span(week+time.Microsecond), span(week), span(time.Hour), span(0)
	for _, o := range []cloud.Outage{forgotten, edge, recent, recent, last} {
		write(t, s, func(w cloud.Writer) error { return w.RecordOutage(o) })
	}
	equal(t, "the outages", read(t, s, cloud.Reader.Plane).Outages, cloud.Outages{edge, recent, last})

	setBack := cloud.Outage{From: recent.To.Add(time.Minute), To: recent.To.Add(time.Minute)}
	write(t, s, func(w cloud.Writer) error { return w.RecordOutage(setBack) })
	equal(t, "the outages after the clock was set back", read(t, s, cloud.Reader.Plane).Outages, cloud.Outages{edge, recent, setBack})
}

func testIssuers(t *testing.T, open func() cloud.Store) {
	s := open()
	for _, step := range []struct {
		set  string
		want []string
	}{
		{"https://a.example", []string{"https://a.example"}},
		{"https://a.example", []string{"https://a.example"}},
		{"https://b.example", []string{"https://b.example", "https://a.example"}},
		{"https://c.example", []string{"https://c.example", "https://b.example", "https://a.example"}},
		{"https://a.example", []string{"https://a.example", "https://c.example", "https://b.example"}},
	} {
		write(t, s, func(w cloud.Writer) error { return w.SetIssuer(step.set) })
		equal(t, "the issuers after "+step.set, read(t, s, cloud.Reader.Plane).Issuers, step.want)
	}
}
