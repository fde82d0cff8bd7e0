package storetest

import (
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func testOutcomes(t *testing.T, open func() cloud.Store) {
	s := open()
	made := cloud.Outcome{Caller: ada.ID, Key: "k1", Request: "hash", Result: []byte(`{"name": "x"}`), CreatedAt: now}
	refusal := cloud.Outcome{Caller: ada.ID, Key: "k2", Request: "hash", Refusal: "taken", CreatedAt: now}
	others := cloud.Outcome{Caller: ben.ID, Key: "k1", Request: "other", Result: []byte(`{}`), CreatedAt: now}
	for _, o := range []cloud.Outcome{made, refusal, others} {
		write(t, s, func(w cloud.Writer) error { return w.SaveOutcome(o) })
	}
	get := func(caller cloud.ID, key string, now time.Time) func(cloud.Reader) (cloud.Outcome, error) {
		return func(r cloud.Reader) (cloud.Outcome, error) { return r.Outcome(caller, key, now) }
	}
	for _, o := range []cloud.Outcome{made, refusal, others} {
		equal(t, "the outcome", read(t, s, get(o.Caller, o.Key, now)), o)
	}
	missing(t, s, "another caller's outcome", get(ben.ID, "k2", now))
	refused(t, s, cloud.CodeConflict, "idempotency key", func(w cloud.Writer) error { return w.SaveOutcome(made) })

	end := now.Add(cloud.OutcomeTTL)
	equal(t, "the outcome at its last instant", read(t, s, get(ada.ID, "k1", end.Add(-time.Microsecond))), made)
	missing(t, s, "an outcome after its time", get(ada.ID, "k1", end))

	late := cloud.Outcome{Caller: ada.ID, Key: "k1", Request: "new", Result: []byte(`[]`), CreatedAt: end.Add(-time.Microsecond)}
	refused(t, s, cloud.CodeConflict, "", func(w cloud.Writer) error { return w.SaveOutcome(late) })
	late.CreatedAt = end
	write(t, s, func(w cloud.Writer) error { return w.SaveOutcome(late) })
	equal(t, "the outcome that took its place", read(t, s, get(ada.ID, "k1", end)), late)
}
