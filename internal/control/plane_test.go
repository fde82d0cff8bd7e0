package control_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/store/memory"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
	"github.com/penstock-cloud/penstock/internal/store/sqlite/sqlitetest"
	"github.com/penstock-cloud/penstock/internal/store/storetest"
)

// TestStartNotesTheOutage starts a plane again and again: each time but the
// first it notes for how long it was not there, once, whatever the clock did
// meanwhile.
func TestStartNotesTheOutage(t *testing.T) {
	t.Parallel()
	plane, err := sqlite.OpenPlane(t.Context(), sqlitetest.Plane(t, filepath.Join(t.TempDir(), "plane.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer plane.Close()
	var now time.Time
	c := control.New(storetest.Twice(plane), func() time.Time { return now }, nil, cloud.DefaultHealthPolicy)
	start := func(url string) func() error { return func() error { return c.Start(t.Context(), url) } }
	alive := func() error { return c.MarkAlive(t.Context()) }
	at := func(clock string) time.Time {
		t.Helper()
		parsed, err := time.Parse(time.TimeOnly, clock)
		if err != nil {
			t.Fatal(err)
		}
		return time.Date(2026, 3, 2, parsed.Hour(), parsed.Minute(), parsed.Second(), 0, time.UTC)
	}
	for _, step := range []struct {
		what string
		now  time.Time
		do   func() error
		want cloud.Outages
	}{
		{"the first start", at("15:30:00"), start("http://a.example.com"), cloud.Outages{}},
		{"a sign of life", at("15:30:05"), alive, cloud.Outages{}},
		{"a restart", at("15:31:05"), start("http://b.example.com"), cloud.Outages{{From: at("15:30:05"), To: at("15:31:05")}}},
		{"a restart with the clock set back", at("14:00:00"), start("http://a.example.com"), cloud.Outages{{From: at("12:28:55").AddDate(-1, 0, 0), To: at("14:00:00")}}},
		{"a restart later", at("16:00:00"), start("http://a.example.com"), cloud.Outages{{From: at("12:28:55").AddDate(-1, 0, 0), To: at("14:00:00")}, {From: at("14:00:00"), To: at("16:00:00")}}},
		{"a clock that differs by seconds", at("15:59:55"), alive, cloud.Outages{{From: at("12:28:55").AddDate(-1, 0, 0), To: at("14:00:00")}, {From: at("14:00:00"), To: at("16:00:00")}}},
		{"a clock that is set back while the plane runs", at("15:00:00"), alive, cloud.Outages{{From: at("12:28:55").AddDate(-1, 0, 0), To: at("14:00:00")}, {From: at("13:59:55"), To: at("15:00:00")}}},
		{"a sign of life after that", at("15:00:05"), alive, cloud.Outages{{From: at("12:28:55").AddDate(-1, 0, 0), To: at("14:00:00")}, {From: at("13:59:55"), To: at("15:00:00")}}},
	} {
		now = step.now
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		var got cloud.Plane
		if err := plane.Read(t.Context(), func(r cloud.Reader) (err error) {
			got, err = r.Plane()
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if !got.AliveAt.Equal(now) {
			t.Errorf("after %s: alive at %v; want %v", step.what, got.AliveAt, now)
		}
		if diff := cmp.Diff(step.want, got.Outages); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", step.what, diff)
		}
	}
}

// TestEvidenceIsSetBackWithTheClock sets the clock back by what a host has been
// silent for: it is as silent as before.
func TestEvidenceIsSetBackWithTheClock(t *testing.T) {
	t.Parallel()
	for what, notice := range map[string]func(*control.Control) error{
		"while the plane runs":  func(c *control.Control) error { return c.MarkAlive(t.Context()) },
		"while it does not run": func(c *control.Control) error { return c.Start(t.Context(), "http://a.example.com") },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			store := memory.NewPlane()
			now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
			c := control.New(storetest.Twice(store), func() time.Time { return now }, nil, cloud.DefaultHealthPolicy)
			if err := c.Start(t.Context(), "http://a.example.com"); err != nil {
				t.Fatal(err)
			}
			silence := 4 * time.Minute
			if err := store.Write(t.Context(), func(w cloud.Writer) error {
				if err := w.CreateRegion(cloud.Region{Name: "west-1"}); err != nil {
					return err
				}
				return w.PutLink(cloud.Link{Region: "west-1", SyncedAt: now, Sources: map[string]time.Time{"host": now.Add(-silence)}})
			}); err != nil {
				t.Fatal(err)
			}
			var before cloud.Plane
			if err := store.Read(t.Context(), func(r cloud.Reader) (err error) {
				before, err = r.Plane()
				return err
			}); err != nil {
				t.Fatal(err)
			}
			now = now.Add(-silence)
			if err := notice(c); err != nil {
				t.Fatal(err)
			}
			if err := store.Write(t.Context(), func(w cloud.Writer) error {
				l, err := w.Link("west-1")
				if err != nil {
					return err
				}
				plane, err := w.Plane()
				if err != nil {
					return err
				}
				if plane.NonceKey.Reveal() == before.NonceKey.Reveal() {
					t.Error("nonces of the former clock still count")
				}
				l.Accept(cloud.SyncReport{AcceptedAt: now, IssuedAt: now, Ages: map[string]time.Duration{"host": silence}}, cloud.DefaultHealthPolicy, plane.Outages)
				clock := cloud.HealthClock{Now: now, Policy: cloud.DefaultHealthPolicy, Outages: plane.Outages}
				in := cloud.Instance{InstanceReport: cloud.InstanceReport{State: cloud.InstanceRunning, Source: "host"}}
				if got := clock.Instance(&l, in); got.Health != cloud.InstanceStale {
					t.Errorf("after %v of silence it is %s; want stale", silence, got.Health)
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// shared is a store that other processes of the plane may use too.
type shared struct{ cloud.Store }

func (shared) Shared() bool { return true }

// A process whose clock is behind that of another one must not take its own for
// set back, again and again.
func TestAnotherProcessIsAhead(t *testing.T) {
	t.Parallel()
	store := memory.NewPlane()
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	process := func(ahead time.Duration) *control.Control {
		return control.New(shared{store}, func() time.Time { return now.Add(ahead) }, nil, cloud.DefaultHealthPolicy)
	}
	behind, ahead := process(0), process(time.Minute)
	if err := store.Write(t.Context(), func(w cloud.Writer) error {
		if err := w.CreateRegion(cloud.Region{Name: "west-1"}); err != nil {
			return err
		}
		return w.PutLink(cloud.Link{Region: "west-1", SyncedAt: now, Sources: map[string]time.Time{"host": now}})
	}); err != nil {
		t.Fatal(err)
	}
	see := func() (l cloud.Link, key string) {
		t.Helper()
		if err := store.Read(t.Context(), func(r cloud.Reader) (err error) {
			plane, err := r.Plane()
			if err != nil {
				return err
			}
			key = plane.NonceKey.Reveal()
			l, err = r.Link("west-1")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return l, key
	}
	before, key := see()
	for range 3 {
		for _, c := range []*control.Control{ahead, behind} {
			if err := c.MarkAlive(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		now = now.Add(control.AliveInterval)
	}
	if err := behind.Start(t.Context(), "http://a.example.com"); err != nil {
		t.Fatal(err)
	}
	if after, newKey := see(); !cmp.Equal(before, after) || key != newKey {
		t.Errorf("what was noted of the region moves:\n%s", cmp.Diff(before, after))
	}
	// Its own clock it can judge.
	now = now.Add(-time.Hour)
	if err := behind.MarkAlive(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after, newKey := see(); cmp.Equal(before, after) || key == newKey {
		t.Error("its own clock was set back, and nothing of what it noted")
	}
}
