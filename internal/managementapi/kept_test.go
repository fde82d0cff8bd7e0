package managementapi_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// counting is a store that counts how often it is read.
type counting struct {
	cloud.Store
	reads *atomic.Int64
}

func (s counting) Read(ctx context.Context, fn func(cloud.Reader) error) error {
	s.reads.Add(1)
	return s.Store.Read(ctx, fn)
}

// TestKeptLists says when a list is read from the store, and when not.
func TestKeptLists(t *testing.T) {
	t.Parallel()
	var reads atomic.Int64
	w := newWorld(t, func(s cloud.Store) cloud.Store { return counting{s, &reads} })
	// The region goes on reporting; else something would age every minute.
	w.write(func(tx cloud.Writer) error {
		link := eastLink()
		for source := range link.Sources {
			link.Sources[source] = start
		}
		return tx.PutLink(link)
	})
	for _, step := range []struct {
		what    string
		do      func()
		who     string
		path    string
		headers []string
		read    bool
	}{
		{"at first", nil, viewer, "/instances", nil, true},
		{"again", nil, viewer, "/instances", nil, false},
		{"another member", nil, admin, "/instances", nil, false},
		{"compressed", nil, viewer, "/instances", []string{"Accept-Encoding", "gzip"}, false},
		{"what one has", nil, viewer, "/instances", []string{"If-None-Match", "*"}, false},
		{"the organization by name", nil, several, "/instances", []string{"X-ORG-ID", acme}, false},
		{"another organization", nil, several, "/instances", []string{"X-ORG-ID", globex}, true},
		{"the same, by its own", nil, stranger, "/instances", nil, false},
		{"another list", nil, viewer, "/clusters", nil, true},
		{"a project", nil, viewer, "/instances", []string{"X-PROJECT-ID", training}, true},
		{"the project again", nil, viewer, "/instances", []string{"X-PROJECT-ID", training}, false},
		{"another project", nil, viewer, "/instances", []string{"X-PROJECT-ID", serving}, true},
		{"the same project of another list", nil, viewer, "/clusters", []string{"X-PROJECT-ID", training}, true},
		{"a page", nil, viewer, "/instances?limit=100", nil, true},
		{"the page again", nil, viewer, "/instances?limit=100", nil, true},
		{"after another organization changed", func() { w.touch(globex) }, viewer, "/instances", nil, false},
		{"which has to be read anew", nil, stranger, "/instances", nil, true},
		{"after this one changed", func() { w.touch(acme) }, viewer, "/instances", nil, true},
		{"and again", nil, viewer, "/instances", nil, false},
		{"up to the instant at which a health changes", func() { w.clock.Pass(cloud.DefaultHealthPolicy.Instance.Stale) }, viewer, "/instances", nil, false},
		{"from it on", func() { w.clock.Pass(time.Microsecond) }, viewer, "/instances", nil, true},
		{"after a health became better", func() { w.write(cloud.Writer.TouchHealth) }, viewer, "/instances", nil, true},
		{"with the clock set back", func() { w.clock.Pass(-time.Second) }, viewer, "/instances", nil, true},
	} {
		if step.do != nil {
			step.do()
		}
		w.get(step.who, "/user") // may read keys that verify tokens
		before := reads.Load()
		w.get(step.who, step.path, step.headers...)
		if read := reads.Load() > before; read != step.read {
			t.Errorf("%s: read from the store: %v; want %v", step.what, read, step.read)
		}
	}
}

// TestClockThatIsSetBackIsSoonForgotten starts the plane with its clock an hour
// ahead and corrects it while the plane runs: what is reported after that is
// believed, not only after the hour.
func TestClockThatIsSetBackIsSoonForgotten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	report := func() { w.accept(cloud.SyncReport{Ages: map[string]time.Duration{"engine": 0}}) }
	for _, step := range []struct {
		what   string
		passes time.Duration
		do     func()
		want   string
	}{
		{"at first", 0, func() {}, "healthy"},
		{"after a start an hour ahead", time.Hour, w.start, "stale"},
		{"after a report", 0, report, "healthy"},
		{"with the clock set back", -30 * time.Minute, func() {}, "stale"},
		{"after a report by the new clock", time.Second, report, "stale"},
		{"after a sign of life of the plane", time.Second, w.alive, "stale"},
		{"after one more report", time.Second, report, "healthy"},
	} {
		w.clock.Pass(step.passes)
		step.do()
		if first := list[struct{ Health string }](w.get(viewer, "/instances").want(http.StatusOK))[0]; first.Health != step.want {
			t.Errorf("%s: %s; want %s", step.what, first.Health, step.want)
		}
	}
}

func (w *world) start() {
	w.t.Helper()
	if err := w.control.Start(context.Background(), "http://plane.example.com"); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) alive() {
	w.t.Helper()
	if err := w.control.MarkAlive(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) touch(organization cloud.ID) {
	w.t.Helper()
	w.write(func(tx cloud.Writer) error { return tx.TouchFleet([]cloud.ID{organization}) })
}

// TestKeptListsAreAsGoodAsNew lets a fleet live: reports of change and of
// nothing but life, objects that go, time that passes and clocks that are set
// back. After each step every list is what a page of it is, which is never
// kept.
func TestKeptListsAreAsGoodAsNew(t *testing.T) {
	t.Parallel()
	questions := []caller{
		{viewer, nil},
		{viewer, []string{"X-PROJECT-ID", training}},
		{viewer, []string{"X-PROJECT-ID", serving}},
		{several, []string{"X-ORG-ID", globex}},
		{stranger, nil},
	}
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			everywhere(t, func(t *testing.T, w *world) {
				dice := rand.New(rand.NewPCG(seed, 7))
				w.clock.Pass(time.Hour) // so that it can be set back, and tokens are still of the past
				for step := range 50 {
					what := w.live(dice)
					for _, path := range []string{"/instances", "/clusters"} {
						for _, q := range questions {
							kept := w.get(q.who, path, q.headers...).want(http.StatusOK)
							fresh := w.get(q.who, path+"?limit=1000", q.headers...).want(http.StatusOK)
							if diff := cmp.Diff(fresh.body, kept.body); diff != "" {
								t.Fatalf("step %d, after %s: %s with %v (-new +kept):\n%s", step, what, path, q.headers, diff)
							}
						}
					}
				}
			})
		})
	}
}

// live lets something happen, as the federation does it, and says what.
func (w *world) live(dice *rand.Rand) string {
	w.t.Helper()
	now := w.clock.Now()
	switch dice.IntN(8) {
	case 0, 1:
		d := time.Duration(dice.Int64N(int64(4 * time.Minute)))
		w.clock.Pass(d)
		return fmt.Sprintf("%v passed", d)
	case 2:
		d := time.Duration(dice.Int64N(int64(5 * time.Minute)))
		w.clock.Pass(-d)
		return fmt.Sprintf("the clock was set back by %v", d)
	case 3, 4:
		w.sync(dice)
		return "a sync"
	case 5:
		all := machines()
		gone := all[dice.IntN(len(all))]
		w.changeOf(gone, func(tx cloud.Writer, o cloud.StoredObject) error {
			return tx.DeleteObjects(o.Region, []cloud.ObjectKey{o.ObjectKey})
		})
		return "the end of " + gone.Name
	default:
		all := machines()
		m := all[dice.IntN(len(all)-2)] // the last two are not shown, or of globex
		states := []cloud.InstanceState{cloud.InstanceRunning, cloud.InstanceStopping, cloud.InstanceStopped, cloud.InstanceError}
		m.State = states[dice.IntN(len(states))]
		w.changeOf(m, func(tx cloud.Writer, o cloud.StoredObject) error {
			o.StateSince, o.UpdatedAt = now, now
			return tx.PutObjects("019cae00-0000-7000-8000-0000000000d1", "", []cloud.StoredObject{o})
		})
		return m.Name + " " + string(m.State)
	}
}

func (w *world) changeOf(m machine, fn func(cloud.Writer, cloud.StoredObject) error) {
	w.t.Helper()
	o, err := m.stored()
	if err != nil {
		w.t.Fatal(err)
	}
	w.write(func(tx cloud.Writer) error {
		if err := fn(tx, o); err != nil {
			return err
		}
		return tx.TouchFleet([]cloud.ID{o.OrganizationID})
	})
}

// sync has east-1 report that its sources were heard, each a while ago.
func (w *world) sync(dice *rand.Rand) {
	w.t.Helper()
	ages := map[string]time.Duration{}
	for source := range eastLink().Sources {
		if dice.IntN(3) == 0 {
			ages[source] = time.Duration(dice.Int64N(int64(5 * time.Minute)))
		}
	}
	w.accept(cloud.SyncReport{IssuedAt: w.clock.Now().Add(-time.Duration(dice.Int64N(int64(15 * time.Second)))), Ages: ages})
}

// accept takes in a report of east-1, as the federation does.
func (w *world) accept(report cloud.SyncReport) {
	w.t.Helper()
	report.AcceptedAt = w.clock.Now()
	report.IssuedAt = or(report.IssuedAt, report.AcceptedAt)
	w.write(func(tx cloud.Writer) error {
		plane, err := tx.Plane()
		if err != nil {
			return err
		}
		link, err := tx.Link("east-1")
		if err != nil {
			return err
		}
		changed := link.Accept(report, cloud.DefaultHealthPolicy, plane.Outages)
		if err := tx.PutLink(link); err != nil || !changed {
			return err
		}
		return tx.TouchHealth()
	})
}
