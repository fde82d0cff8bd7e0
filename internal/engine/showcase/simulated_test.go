package showcase_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
	"github.com/penstock-cloud/penstock/internal/engine/enginetest"
	"github.com/penstock-cloud/penstock/internal/engine/showcase"
)

const (
	ours   = cloud.ID("0190a1c0-0000-7000-8000-000000000001")
	theirs = cloud.ID("0190a1c0-0000-7000-8000-000000000002")
)

func config(change ...func(*showcase.Config)) showcase.Config {
	c := showcase.Config{
		Region: "local", Organizations: []cloud.ID{ours}, Seed: 7,
		Now: time.Now, After: time.After,
	}
	for _, f := range change {
		f(&c)
	}
	return c
}

func newEngine(t *testing.T, c showcase.Config) engine.Inventory {
	t.Helper()
	e, err := showcase.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestConformance(t *testing.T) {
	t.Parallel()
	enginetest.TestInventory(t, enginetest.InventorySubject{
		New:    func(t *testing.T) engine.Inventory { return newEngine(t, config()) },
		Settle: func() { time.Sleep(5 * time.Minute) },
		Within: synctest.Test,
	})
}

// live runs the engine for a span of the bubble's time, with a look at the
// end of every step of it.
func live(t *testing.T, c showcase.Config, sink *enginetest.Recorder, span, step time.Duration, look func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- newEngine(t, c).Run(ctx, sink) }()
	for range span / step {
		time.Sleep(step)
		synctest.Wait()
		if look != nil {
			look()
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run returned %v, want context.Canceled", err)
	}
	for _, v := range sink.Violations() {
		t.Errorf("violation: %v", v)
	}
}

func TestFleetLooksLikeOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := enginetest.NewRecorder()
		live(t, config(), sink, time.Second, time.Second, nil)
		instances := sink.Instances()
		if len(instances) != showcase.DefaultFleet {
			t.Errorf("%d instances, want %d", len(instances), showcase.DefaultFleet)
		}
		states, attention := map[cloud.InstanceState]int{}, 0
		projects := map[cloud.ID]bool{}
		for _, i := range instances {
			states[i.State]++
			projects[i.ProjectID] = true
			if i.Fault != "" || i.State == cloud.InstanceError || i.State == cloud.InstanceOutOfStock {
				attention++
			}
		}
		if states[cloud.InstanceRunning] < 24 || states[cloud.InstanceStopped] == 0 || attention == 0 {
			t.Errorf("states are %v with %d in trouble; want most running, some stopped, a few in trouble", states, attention)
		}
		if len(projects) != 3 {
			t.Errorf("%d projects, want 3", len(projects))
		}
		kinds := map[cloud.ClusterType]int{}
		for _, c := range sink.Clusters() {
			kinds[c.Type]++
			if !projects[c.ProjectID] {
				t.Errorf("cluster %s is in a project of its own", c.Name)
			}
		}
		if d := cmp.Diff(map[cloud.ClusterType]int{cloud.ClusterKubernetes: 2, cloud.ClusterSlurm: 2}, kinds); d != "" {
			t.Errorf("clusters (-want +got)\n%s", d)
		}
	})
}

// Three hours of a small fleet: everything that can happen does, and it never
// gets out of hand.
func TestFleetLives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sink := enginetest.NewRecorder()
		passing := cloud.DefaultHealthPolicy.Passing
		var mu sync.Mutex
		var (
			since     = map[cloud.ID]time.Time{} // of the present state
			last      = map[cloud.ID]cloud.InstanceState{}
			moves     = map[[2]cloud.InstanceState]int{}
			gone      int
			faults    int
			outages   int
			hung      = map[cloud.ID]bool{}
			silences  = map[string]time.Duration{}
			heard     = map[string]int{}
			longest   time.Duration // silence
			maxSilent int
		)
		sink.Watch(func(key cloud.ObjectKey, body []byte) {
			mu.Lock()
			defer mu.Unlock()
			if key.Kind == cloud.KindCluster {
				if r, _ := cloud.ParseClusterReport(body); r.Down {
					outages++
				}
				return
			}
			now := time.Now()
			if body == nil {
				gone++
				delete(last, key.ID)
				return
			}
			r, _ := cloud.ParseInstanceReport(body)
			if r.State == cloud.InstanceRunning && r.Fault != "" {
				faults++
			}
			if before := last[key.ID]; before != r.State {
				moves[[2]cloud.InstanceState{before, r.State}]++
				last[key.ID], since[key.ID] = r.State, now
			}
		})
		look := func() {
			times, instances := sink.TimesHeard(), sink.Instances()
			mu.Lock()
			defer mu.Unlock()
			silent := 0
			for source, n := range times {
				if n == heard[source] {
					silences[source] += 30 * time.Second
				} else {
					silences[source] = 0
				}
				heard[source] = n
				if silences[source] > 0 {
					silent++
				}
				longest = max(longest, silences[source])
			}
			maxSilent = max(maxSilent, silent)
			trouble := 0
			names, addresses := map[string]bool{}, map[string]bool{}
			for id, i := range instances {
				hangs := i.State.Passing() && time.Since(since[id]) > passing
				hung[id] = hung[id] || hangs
				if i.Fault != "" || i.State == cloud.InstanceError || i.State == cloud.InstanceOutOfStock || hangs {
					trouble++
				}
				if names[string(i.ProjectID)+i.Name] || addresses[i.IP] {
					t.Errorf("the name %s or the address %s is there twice", i.Name, i.IP)
				}
				names[string(i.ProjectID)+i.Name], addresses[i.IP] = true, true
				if addr, err := netip.ParseAddr(i.IP); err != nil || !netip.MustParsePrefix("10.0.0.0/8").Contains(addr) {
					t.Errorf("the address %s is not in 10.0.0.0/8", i.IP)
				}
			}
			if trouble > 4 {
				t.Errorf("%d of %d instances are in trouble", trouble, len(instances))
			}
			if len(instances) < showcase.DefaultFleet-1 {
				t.Errorf("the fleet has shrunk to %d", len(instances))
			}
		}
		live(t, config(), sink, 3*time.Hour, 30*time.Second, look)

		for _, move := range [][2]cloud.InstanceState{
			{cloud.InstanceCreating, cloud.InstanceStarting},
			{cloud.InstanceCreating, cloud.InstanceOutOfStock},
			{cloud.InstanceOutOfStock, cloud.InstanceStarting},
			{cloud.InstanceStarting, cloud.InstanceRunning},
			{cloud.InstanceRunning, cloud.InstanceStopping},
			{cloud.InstanceStopping, cloud.InstanceStopped},
			{cloud.InstanceStopped, cloud.InstanceStarting},
			{cloud.InstanceRunning, cloud.InstanceDeleting},
			{cloud.InstanceRunning, cloud.InstanceError},
			{cloud.InstanceError, cloud.InstanceStarting},
		} {
			if moves[move] == 0 {
				t.Errorf("none went from %s to %s", move[0], move[1])
			}
		}
		if limits := cloud.DefaultHealthPolicy.Instance; longest <= limits.Stale || longest >= limits.Offline {
			t.Errorf("the longest silence of a host was %v, want one between %v and %v", longest, limits.Stale, limits.Offline)
		}
		if gone == 0 || faults == 0 || outages == 0 || maxSilent != 1 {
			t.Errorf("%d gone, %d faults, %d outages, %d hosts silent at once; want some of each, and 1", gone, faults, outages, maxSilent)
		}
		hangs := 0
		for _, h := range hung {
			if h {
				hangs++
			}
		}
		if hangs == 0 || hangs > 6 {
			t.Errorf("%d instances hung, want a few", hangs)
		}
	})
}

func TestSameSeedSameStory(t *testing.T) {
	t.Parallel()
	tell := func(t *testing.T, seed uint64) (story []string) {
		synctest.Test(t, func(t *testing.T) {
			sink := enginetest.NewRecorder()
			live(t, config(func(c *showcase.Config) { c.Seed = seed }), sink, 10*time.Minute, time.Minute, nil)
			story = sink.Log()
		})
		return story
	}
	first := tell(t, 7)
	if len(first) < showcase.DefaultFleet+100 {
		t.Errorf("only %d changes in ten minutes", len(first))
	}
	if d := cmp.Diff(first, tell(t, 7)); d != "" {
		t.Errorf("the same seed told another story:\n%.2000s", d)
	}
	if cmp.Equal(first, tell(t, 8)) {
		t.Error("another seed told the same story")
	}
}

func TestPaceIsThatOfTheFleetAndNotOfItsSize(t *testing.T) {
	t.Parallel()
	changes := func(t *testing.T, fleet int) (n int) {
		synctest.Test(t, func(t *testing.T) {
			sink := enginetest.NewRecorder()
			live(t, config(func(c *showcase.Config) { c.Fleet = fleet }), sink, 10*time.Minute, time.Minute, nil)
			n = len(sink.Log()) - fleet
		})
		return n
	}
	small, large := changes(t, 48), changes(t, 5000)
	if large > 2*small || small > 2*large {
		t.Errorf("%d changes in a small fleet and %d in a large one, want about as many", small, large)
	}
}

// After a restart the fleet is the configured one: what fits is kept, what is
// missing is added, and what is too much goes.
func TestRestartFitsTheFleet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*showcase.Config)
		fleet  int
		keeps  int // at least
	}{
		{"unchanged", func(*showcase.Config) {}, 48, 48},
		{"larger", func(c *showcase.Config) { c.Fleet = 2500 }, 2500, 48},
		{"smaller", func(c *showcase.Config) { c.Fleet = 20 }, 20, 1},
		{"of somebody else", func(c *showcase.Config) { c.Organizations = []cloud.ID{theirs} }, 48, 0},
		{"of both", func(c *showcase.Config) { c.Organizations = []cloud.ID{ours, theirs} }, 48, 48},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				first := enginetest.NewRecorder()
				live(t, config(), first, 10*time.Minute, time.Minute, nil)
				second := first.Restart()
				live(t, config(c.change), second, time.Millisecond, time.Millisecond, nil)
				before, after := first.Objects(), second.Instances()
				kept := 0
				for id, i := range after {
					if string(before[cloud.ObjectKey{Kind: cloud.KindInstance, ID: id}]) != "" {
						kept++
					}
					if !strings.HasPrefix(i.Source, "host-") {
						t.Errorf("%s is vouched for by %s", i.Name, i.Source)
					}
				}
				// One may have been between its end and its successor.
				if len(after) != c.fleet || kept < min(c.keeps, len(first.Instances())) {
					t.Errorf("%d instances, %d of them kept; want %d and at least %d", len(after), kept, c.fleet, c.keeps)
				}
				names := map[string]bool{}
				for _, i := range after {
					if names[i.Name] {
						t.Errorf("the name %s is there twice", i.Name)
					}
					names[i.Name] = true
				}
			})
		})
	}
}

func TestWrongConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*showcase.Config){
		"negative fleet":   func(c *showcase.Config) { c.Fleet = -1 },
		"fleet over bound": func(c *showcase.Config) { c.Fleet = showcase.MaxFleet + 1 },
		"negative pace":    func(c *showcase.Config) { c.Pace = -time.Second },
		"no organization":  func(c *showcase.Config) { c.Organizations = nil },
		"bad organization": func(c *showcase.Config) { c.Organizations = []cloud.ID{"acme"} },
	} {
		if _, err := showcase.New(config(change)); cloud.CodeOf(err) != cloud.CodeInvalid {
			t.Errorf("%s: got %v, want an error of code %s", name, err, cloud.CodeInvalid)
		}
	}
}
