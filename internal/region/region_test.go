package region_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
	"github.com/penstock-cloud/penstock/internal/region"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
	"github.com/penstock-cloud/penstock/internal/store/sqlite/sqlitetest"
)

const (
	organization = cloud.ID("0190a1c0-0000-7000-8000-000000000001")
	project      = cloud.ID("0190a1c0-0000-7000-8000-000000000002")
)

func numbered(n int) cloud.ID { return cloud.ID(fmt.Sprintf("0190a1c0-0000-7000-8000-%012d", n)) }

func instanceKey(n int) cloud.ObjectKey {
	return cloud.ObjectKey{Kind: cloud.KindInstance, ID: numbered(n)}
}

func instance(n int, state cloud.InstanceState) engine.Instance {
	return engine.Instance{ID: numbered(n), InstanceReport: cloud.InstanceReport{
		OrganizationID: organization, ProjectID: project,
		Name: fmt.Sprintf("trainer-%d", n), Type: "gpu.h100.8x", State: state, Image: "image://ubuntu22.04",
		Tags: map[string]string{"b": "<2>", "a": "1"}, Source: "host-01",
	}}
}

func clusterAt(n int, down bool) engine.Cluster {
	return engine.Cluster{ID: numbered(n), ClusterReport: cloud.ClusterReport{
		OrganizationID: organization, ProjectID: project,
		Name: fmt.Sprintf("k8s-%d", n), Type: cloud.ClusterKubernetes, Source: "prober", Down: down,
	}}
}

// world is a region on a real database, with a clock that stands still.
type world struct {
	*region.Region
	t     *testing.T
	store cloud.RegionStore

	mu  sync.Mutex
	now time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	store, err := sqlite.OpenRegion(t.Context(), sqlitetest.Region(t, filepath.Join(t.TempDir(), "region.db")), func() cloud.ID { return numbered(900) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	w := &world{t: t, store: store, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	w.Region = region.New(region.Config{
		Store: store, Log: slog.New(slog.DiscardHandler),
		NewID: func() cloud.ID { return numbered(901) },
		Now:   w.clock,
		After: func(time.Duration) <-chan time.Time {
			c := make(chan time.Time, 1)
			c <- w.clock()
			return c
		},
	})
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) observe(b engine.Batch) {
	w.t.Helper()
	if err := w.Observe(w.t.Context(), b); err != nil {
		w.t.Fatalf("observe: %v", err)
	}
}

// state is all that a region's database holds.
type state struct {
	ID         cloud.RegionIdentity
	Objects    []cloud.Object
	Tombstones []cloud.Tombstone
}

func (w *world) state() state {
	w.t.Helper()
	var s state
	err := w.Read(w.t.Context(), func(tx cloud.RegionReader) (err error) {
		if s.ID, err = tx.Identity(); err != nil {
			return err
		}
		if s.Objects, err = tx.Objects(cloud.ObjectKey{}, 100_000); err != nil {
			return err
		}
		_, s.Tombstones, err = tx.Changes(0, 100_000)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	var digest cloud.Digest
	for _, o := range s.Objects {
		digest.Add(o)
	}
	if digest != s.ID.Digest {
		w.t.Fatalf("the digest is %v, and that of the objects %v", s.ID.Digest, digest)
	}
	return s
}

func (w *world) notified() bool {
	select {
	case <-w.Changed():
		return true
	default:
		return false
	}
}

func TestObserveNumbersEveryChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	steps := []struct {
		name    string
		batch   engine.Batch
		seq     uint64
		revs    map[cloud.ID]uint64
		buried  map[cloud.ID]uint64
		changed bool
	}{
		{
			name:  "two appear",
			batch: engine.Batch{Instances: []engine.Instance{instance(1, cloud.InstanceCreating), instance(2, cloud.InstanceRunning)}},
			seq:   2, revs: map[cloud.ID]uint64{numbered(1): 1, numbered(2): 2}, changed: true,
		},
		{
			name:  "the same again is no change",
			batch: engine.Batch{Instances: []engine.Instance{instance(1, cloud.InstanceCreating), instance(2, cloud.InstanceRunning)}},
			seq:   2, revs: map[cloud.ID]uint64{numbered(1): 1, numbered(2): 2},
		},
		{
			name: "one moves, a cluster joins",
			batch: engine.Batch{
				Instances: []engine.Instance{instance(1, cloud.InstanceRunning), instance(2, cloud.InstanceRunning)},
				Clusters:  []engine.Cluster{clusterAt(3, false)},
			},
			seq: 4, revs: map[cloud.ID]uint64{numbered(3): 3, numbered(1): 4, numbered(2): 2}, changed: true,
		},
		{
			name:  "one goes, and one that never was",
			batch: engine.Batch{Gone: []cloud.ObjectKey{instanceKey(1), instanceKey(77)}},
			seq:   5, revs: map[cloud.ID]uint64{numbered(2): 2, numbered(3): 3},
			buried: map[cloud.ID]uint64{numbered(1): 5}, changed: true,
		},
		{
			name:  "gone twice is no change",
			batch: engine.Batch{Gone: []cloud.ObjectKey{instanceKey(1)}},
			seq:   5, revs: map[cloud.ID]uint64{numbered(2): 2, numbered(3): 3},
			buried: map[cloud.ID]uint64{numbered(1): 5},
		},
		{
			name:  "back again",
			batch: engine.Batch{Instances: []engine.Instance{instance(1, cloud.InstanceRunning)}},
			seq:   6, revs: map[cloud.ID]uint64{numbered(1): 6, numbered(2): 2, numbered(3): 3}, changed: true,
		},
	}
	for _, step := range steps {
		w.observe(step.batch)
		s := w.state()
		revs, buried := map[cloud.ID]uint64{}, map[cloud.ID]uint64{}
		for _, o := range s.Objects {
			revs[o.ID] = o.Rev
		}
		for _, o := range s.Tombstones {
			buried[o.ID] = o.Rev
		}
		if step.buried == nil {
			step.buried = map[cloud.ID]uint64{}
		}
		if s.ID.Seq != step.seq {
			t.Errorf("%s: seq %d, want %d", step.name, s.ID.Seq, step.seq)
		}
		if d := cmp.Diff(step.revs, revs); d != "" {
			t.Errorf("%s: revs (-want +got)\n%s", step.name, d)
		}
		if d := cmp.Diff(step.buried, buried); d != "" {
			t.Errorf("%s: tombstones (-want +got)\n%s", step.name, d)
		}
		if got := w.notified(); got != step.changed {
			t.Errorf("%s: notified %v, want %v", step.name, got, step.changed)
		}
	}
}

// Whoever follows the changes, in pieces of any size and at any time, ends up
// with what the region has.
func TestChangesLeadToTheSameState(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	chance := rand.New(rand.NewPCG(1, 2))
	states := cloud.InstanceStates
	follower, applied := map[cloud.ObjectKey]cloud.Object{}, uint64(0)
	for range 60 {
		var b engine.Batch
		for range chance.IntN(8) {
			switch n := chance.IntN(20); chance.IntN(4) {
			case 0:
				b.Gone = append(b.Gone, instanceKey(n))
			case 1:
				b.Clusters = append(b.Clusters, clusterAt(100+n, chance.IntN(2) == 0))
			default:
				b.Instances = append(b.Instances, instance(n, states[chance.IntN(len(states))]))
			}
		}
		w.observe(b)
		for range chance.IntN(3) {
			err := w.Read(t.Context(), func(tx cloud.RegionReader) error {
				objects, tombstones, err := tx.Changes(applied, 1+chance.IntN(5))
				for _, o := range objects {
					follower[o.ObjectKey] = o
					applied = max(applied, o.Rev)
				}
				for _, o := range tombstones {
					delete(follower, o.ObjectKey)
					applied = max(applied, o.Rev)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	err := w.Read(t.Context(), func(tx cloud.RegionReader) error {
		objects, tombstones, err := tx.Changes(applied, 1000)
		for _, o := range objects {
			follower[o.ObjectKey] = o
		}
		for _, o := range tombstones {
			delete(follower, o.ObjectKey)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[cloud.ObjectKey]cloud.Object{}
	for _, o := range w.state().Objects {
		want[o.ObjectKey] = o
	}
	if d := cmp.Diff(want, follower); d != "" {
		t.Errorf("the follower's copy (-want +got)\n%s", d)
	}
}

func TestObserveRefusesWhatIsNotValid(t *testing.T) {
	t.Parallel()
	with := func(change func(*engine.Instance)) engine.Batch {
		i := instance(2, cloud.InstanceRunning)
		change(&i)
		return engine.Batch{Source: "host-02", Instances: []engine.Instance{instance(3, cloud.InstanceRunning), i}}
	}
	many := engine.Batch{Source: "host-02"}
	for n := range engine.MaxBatch + 1 {
		many.Gone = append(many.Gone, instanceKey(n))
	}
	for name, batch := range map[string]engine.Batch{
		"an id that is none":        with(func(i *engine.Instance) { i.ID = "trainer" }),
		"an id in upper case":       with(func(i *engine.Instance) { i.ID = cloud.ID(strings.ToUpper(string(organization))) }),
		"a state that is none":      with(func(i *engine.Instance) { i.State = "resting" }),
		"no source":                 with(func(i *engine.Instance) { i.InstanceReport.Source = "" }),
		"an address that is none":   with(func(i *engine.Instance) { i.IP = "10.0.0" }),
		"a cluster of no type":      {Source: "host-02", Clusters: []engine.Cluster{{ID: numbered(4), ClusterReport: cloud.ClusterReport{OrganizationID: organization, ProjectID: project, Source: "x"}}}},
		"too many things":           many,
		"a source of a long name":   {Source: strings.Repeat("h", engine.MaxSourceName+1)},
		"a source not printable":    {Source: "host\n02"},
		"a report over its size":    with(func(i *engine.Instance) { i.Tags = map[string]string{"a": strings.Repeat("x", cloud.MaxObjectBody)} }),
		"a source that is not text": {Source: "host\xff"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.observe(engine.Batch{Instances: []engine.Instance{instance(1, cloud.InstanceRunning)}})
			w.notified()
			before := w.state()
			if err := w.Observe(t.Context(), batch); cloud.CodeOf(err) != cloud.CodeInvalid {
				t.Errorf("got %v, want an error of code %s", err, cloud.CodeInvalid)
			}
			if d := cmp.Diff(before, w.state()); d != "" {
				t.Errorf("a refused batch changed something (-before +after)\n%s", d)
			}
			if w.notified() || len(w.Sources()) > 0 {
				t.Errorf("a refused batch counts: sources %v", w.Sources())
			}
		})
	}
}

func TestWhatCouldNotBeWrittenDoesNotCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_ = w.store.Close()
	err := w.Observe(t.Context(), engine.Batch{Source: "host-01", Instances: []engine.Instance{instance(1, cloud.InstanceRunning)}})
	if err == nil {
		t.Fatal("a batch was recorded in a closed database")
	}
	if w.notified() || len(w.Sources()) > 0 {
		t.Errorf("it counts: sources %v", w.Sources())
	}
}

func TestSourcesAge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if got := w.Sources(); len(got) != 0 {
		t.Fatalf("sources before anything was heard: %v", got)
	}
	w.observe(engine.Batch{Source: "host-01", Instances: []engine.Instance{instance(1, cloud.InstanceRunning)}})
	w.pass(10 * time.Second)
	if err := w.Heard("host-02"); err != nil {
		t.Fatal(err)
	}
	w.pass(5 * time.Second)
	want := map[string]time.Duration{"host-01": 15 * time.Second, "host-02": 5 * time.Second}
	if d := cmp.Diff(want, w.Sources()); d != "" {
		t.Errorf("ages (-want +got)\n%s", d)
	}
	w.observe(engine.Batch{Source: "host-01", Instances: []engine.Instance{instance(1, cloud.InstanceRunning)}})
	want["host-01"] = 0 // though it said nothing new
	if d := cmp.Diff(want, w.Sources()); d != "" {
		t.Errorf("ages after it spoke again (-want +got)\n%s", d)
	}
	if err := w.Heard(""); cloud.CodeOf(err) != cloud.CodeInvalid {
		t.Errorf("a source without a name: %v", err)
	}
}

func TestSourcesAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n := range region.MaxSources + 3 {
		if err := w.Heard(fmt.Sprint(n)); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Millisecond)
	}
	ages := w.Sources()
	if len(ages) != region.MaxSources {
		t.Errorf("%d sources are kept, want %d", len(ages), region.MaxSources)
	}
	for _, oldest := range []string{"0", "1", "2"} {
		if _, kept := ages[oldest]; kept {
			t.Errorf("source %s is kept, though it was silent for the longest", oldest)
		}
	}
}

// What changed in the last hour, or by the last changes up to their number, is
// kept: a plane that saw all before it needs no snapshot. What is both older
// and further back is not.
func TestTombstonesAreKeptForAnHourAndForManyChanges(t *testing.T) {
	t.Parallel()
	const changes = 4
	for name, c := range map[string]struct {
		age   time.Duration // of the three deletions, as changes 4 to 6
		after int           // how many changes came since
		floor uint64        // 0 where all of them are kept
	}{
		"young and near":       {time.Minute, 0, 0},
		"young and far":        {time.Minute, 100, 0},
		"an hour old":          {time.Hour, 100, 0},
		"over an hour old":     {time.Hour + time.Microsecond, 100, 6},
		"old and near":         {24 * time.Hour, 1, 0}, // the last changes are 4 to 7
		"old, the first far":   {24 * time.Hour, 2, 4},
		"old, the last near":   {24 * time.Hour, 3, 5},
		"old, the last far":    {24 * time.Hour, 4, 6},
		"of a clock set back":  {-24 * time.Hour, 100, 0},
		"old though still all": {24 * time.Hour, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for n := range 3 {
				w.observe(engine.Batch{Instances: []engine.Instance{instance(n, cloud.InstanceRunning)}})
			}
			w.observe(engine.Batch{Gone: []cloud.ObjectKey{instanceKey(0), instanceKey(1), instanceKey(2)}})
			w.pass(c.age)
			for n := range c.after {
				w.observe(engine.Batch{Instances: []engine.Instance{instance(100+n, cloud.InstanceRunning)}})
			}
			w.KeepChanges(changes)
			w.observe(engine.Batch{Source: "host-01"})
			s := w.state()
			if kept := 6 - max(c.floor, 3); s.ID.Floor != c.floor || uint64(len(s.Tombstones)) != kept {
				t.Errorf("the floor is %d with tombstones %v, want %d with the last %d", s.ID.Floor, s.Tombstones, c.floor, kept)
			}
			w.KeepChanges(changes)
			w.observe(engine.Batch{Source: "host-01"})
			if again := w.state(); !cmp.Equal(s, again) {
				t.Errorf("pruning with nothing to prune changed something:\n%s", cmp.Diff(s, again))
			}
		})
	}
}

func TestRenewKeepsEverythingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.observe(engine.Batch{Instances: []engine.Instance{instance(1, cloud.InstanceRunning)}})
	want := w.state()
	if err := w.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	want.ID.Incarnation = numbered(901)
	if d := cmp.Diff(want, w.state()); d != "" {
		t.Errorf("after the renewal (-want +got)\n%s", d)
	}
}

// hypervisor is an engine without machines, of which a test says how it runs.
type hypervisor struct {
	engine.Engine
	run func(context.Context) error
}

func (hypervisor) Hosts(context.Context) ([]cloud.Host, error)    { return nil, nil }
func (hypervisor) Survey(context.Context) (engine.Survey, error)  { return engine.Survey{}, nil }
func (h hypervisor) Run(ctx context.Context, _ engine.Tell) error { return h.run(ctx) }

// drive has the region drive an engine that runs like that.
func (w *world) drive(ctx context.Context, run func(context.Context) error) error {
	w.t.Helper()
	r, err := region.NewReconciler(region.ReconcilerConfig{
		Region: w.Region, Engine: hypervisor{run: run}, Addresses: netip.MustParsePrefix("10.64.0.0/24"), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return r.Run(ctx)
}

func TestAnEngineThatGaveUpIsStartedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	runs := 0
	err := w.drive(ctx, func(ctx context.Context) error {
		if runs++; runs < 3 {
			return errors.New("the hypervisor is away")
		}
		cancel()
		return ctx.Err()
	})
	if !errors.Is(err, context.Canceled) || runs != 3 {
		t.Errorf("Run returned %v after %d runs, want context.Canceled after 3", err, runs)
	}
}

// Once a region is fenced its engine is called no more, whatever it makes of
// the end of its context, and what it still says is not recorded.
func TestAFencedRegionStopsItsEngine(t *testing.T) {
	t.Parallel()
	for name, result := range map[string]error{
		"that ends":     context.Canceled,
		"that gives up": errors.New("the hypervisor is away"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var calls []string
			running, ended := make(chan struct{}), make(chan error)
			go func() {
				ended <- w.drive(t.Context(), func(ctx context.Context) error {
					calls = append(calls, "run")
					close(running)
					<-ctx.Done()
					if err := w.Observe(t.Context(), engine.Batch{Instances: []engine.Instance{instance(1, cloud.InstanceRunning)}}); !errors.Is(err, region.ErrFenced) {
						t.Errorf("an observation ended with %v, want ErrFenced", err)
					}
					return result
				})
			}()
			<-running
			if err := w.Fence(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; !errors.Is(err, region.ErrFenced) {
				t.Errorf("Run returned %v, want ErrFenced", err)
			}
			again := func(context.Context) error { calls = append(calls, "again"); return nil }
			if err := w.drive(t.Context(), again); !errors.Is(err, region.ErrFenced) {
				t.Errorf("Run returned %v, want ErrFenced", err)
			}
			if d := cmp.Diff([]string{"run"}, calls); d != "" {
				t.Errorf("the engine's calls (-want +got)\n%s", d)
			}
			if s := w.state(); len(s.Objects) > 0 {
				t.Errorf("a fenced daemon recorded %v", s.Objects)
			}
		})
	}
}

// A fence that comes while an engine that gave up is left alone ends that too.
func TestAFencedRegionDoesNotStartItsEngineAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	runs := 0
	err := w.drive(t.Context(), func(context.Context) error {
		runs++
		if err := w.Fence(t.Context()); err != nil {
			t.Error(err)
		}
		return errors.New("the hypervisor is away")
	})
	if !errors.Is(err, region.ErrFenced) || runs != 1 {
		t.Errorf("Run returned %v after %d runs, want ErrFenced after 1", err, runs)
	}
}

// process is another one on the same database.
func (w *world) process(name cloud.ID) *region.Region {
	return region.New(region.Config{
		Store: w.store, Log: slog.New(slog.DiscardHandler), NewID: func() cloud.ID { return name }, Now: w.clock, After: time.After,
	})
}

func TestAFencedDaemonBeginsOnlyToTakeOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	begin := func(r *region.Region, takeOver bool) {
		t.Helper()
		if err := r.Begin(t.Context(), takeOver); err != nil {
			t.Fatalf("Begin: %v", err)
		}
	}
	begin(w.process(numbered(1)), false)
	first := w.process(numbered(2)) // an ordinary restart
	begin(first, false)
	if err := first.Fence(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a refusal changes nothing
		err := w.process(numbered(3)).Begin(t.Context(), false)
		if !errors.Is(err, region.ErrFenced) || !strings.Contains(err.Error(), "2026-03-01T12:00:00Z") || !strings.Contains(err.Error(), "--take-over") {
			t.Fatalf("Begin returned %v, want ErrFenced with the time and the way back", err)
		}
	}
	second := w.process(numbered(4))
	begin(second, true)
	begin(w.process(numbered(5)), false) // the mark is gone

	// It began later on this database than the one that is fenced now.
	if err := second.Fence(t.Context()); err != nil {
		t.Fatal(err)
	}
	begin(w.process(numbered(6)), false)
}

func TestAFenceThatCannotBeWrittenDownStopsTheEngineAllTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_ = w.store.Close()
	if err := w.Fence(t.Context()); err == nil {
		t.Error("Fence wrote to a closed database")
	}
	err := w.drive(t.Context(), func(context.Context) error {
		t.Error("the engine was called")
		return nil
	})
	if !errors.Is(err, region.ErrFenced) {
		t.Errorf("Run returned %v, want ErrFenced", err)
	}
}

// The plane hears at once of a source that it may have believed to be lost, and
// of the others when it is time.
func TestASourceThatIsHeardForTheFirstTimeIsNews(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	news := func() bool {
		select {
		case <-w.Changed():
			return true
		default:
			return false
		}
	}
	for _, step := range []struct {
		source string
		want   bool
	}{{"host-01", true}, {"host-01", false}, {"host-02", true}, {"host-01", false}} {
		if err := w.Heard(step.source); err != nil {
			t.Fatal(err)
		}
		if got := news(); got != step.want {
			t.Errorf("whether %s was news: %t, want %t", step.source, got, step.want)
		}
	}
}
