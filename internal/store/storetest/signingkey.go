package storetest

import (
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func testSigningKeys(t *testing.T, open func() cloud.Store) {
	s := open()
	key := func(id string, at time.Time) cloud.SigningKey {
		return cloud.SigningKey{ID: id, PEM: cloud.NewSecret("PEM of " + id), CreatedAt: at}
	}
	keys := func() []cloud.SigningKey { return read(t, s, cloud.Reader.SigningKeys) }
	equal(t, "the number of keys of a new plane", len(keys()), 0)

	old, young := key("z", now), key("a", now.Add(time.Hour))
	write(t, s, func(w cloud.Writer) error { return first(w.CreateSigningKey(old), w.CreateSigningKey(young)) })
	equal(t, "the keys, newest first", keys(), []cloud.SigningKey{young, old})
	refused(t, s, cloud.CodeConflict, "z", func(w cloud.Writer) error { return w.CreateSigningKey(old) })

	old.RetiredAt, old.ExpiresAt = now.Add(2*time.Hour), now.Add(3*time.Hour)
	write(t, s, func(w cloud.Writer) error { return w.RetireSigningKey(old.ID, old.RetiredAt, old.ExpiresAt) })
	equal(t, "the keys after one retired", keys(), []cloud.SigningKey{young, old})
	refused(t, s, cloud.CodeNotFound, "nobody", func(w cloud.Writer) error { return w.RetireSigningKey("nobody", now, now) })

	write(t, s, func(w cloud.Writer) error { return w.DeleteExpiredSigningKeys(old.ExpiresAt.Add(-time.Microsecond)) })
	equal(t, "the keys before it expires", keys(), []cloud.SigningKey{young, old})
	write(t, s, func(w cloud.Writer) error { return w.DeleteExpiredSigningKeys(old.ExpiresAt) })
	equal(t, "the keys when it has expired", keys(), []cloud.SigningKey{young})
}
