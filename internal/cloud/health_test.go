package cloud

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// epoch is when the tests' world begins.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return epoch.Add(d) }

// linkHeard is a link that has just synced, of whose source "s" it is known
// that it lived at heard.
func linkHeard(heard time.Time) *Link {
	return &Link{Region: "west-1", SyncedAt: heard, Sources: map[string]time.Time{"s": heard}}
}

func instanceIn(state InstanceState, since time.Time) Instance {
	return Instance{InstanceReport: InstanceReport{State: state, Source: "s"}, StateSince: since}
}

func TestClusterHealthAtItsBoundaries(t *testing.T) {
	t.Parallel()
	const us = time.Microsecond
	up := Cluster{ClusterReport: ClusterReport{Source: "s"}, StateSince: at(-time.Hour)}
	down := up
	down.Down = true
	const silent = "no report from s in region west-1 since 2026-03-01T12:00:00Z"
	const dead = "its API does not answer since 2026-03-01T11:00:00Z"
	tests := []struct {
		name    string
		cluster Cluster
		age     time.Duration
		want    Assessment[ClusterHealth]
	}{
		{"at once", up, 0, Assessment[ClusterHealth]{ClusterHealthy, "", at(90*time.Second + us)}},
		{"before stale", up, 90*time.Second - us, Assessment[ClusterHealth]{ClusterHealthy, "", at(90*time.Second + us)}},
		{"at the limit", up, 90 * time.Second, Assessment[ClusterHealth]{ClusterHealthy, "", at(90*time.Second + us)}},
		{"past stale", up, 90*time.Second + us, Assessment[ClusterHealth]{ClusterStale, silent, at(300*time.Second + us)}},
		{"at the last limit", up, 300 * time.Second, Assessment[ClusterHealth]{ClusterStale, silent, at(300*time.Second + us)}},
		{"past offline", up, 300*time.Second + us, Assessment[ClusterHealth]{Health: ClusterOffline, Reason: silent}},
		{"long past", up, 1000 * time.Hour, Assessment[ClusterHealth]{Health: ClusterOffline, Reason: silent}},
		{"down", down, 0, Assessment[ClusterHealth]{ClusterOffline, dead, at(300*time.Second + us)}},
		{"down and stale", down, 200 * time.Second, Assessment[ClusterHealth]{ClusterOffline, dead, at(300*time.Second + us)}},
		{"down and silent", down, 301 * time.Second, Assessment[ClusterHealth]{Health: ClusterOffline, Reason: silent}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			clock := HealthClock{Now: at(tt.age), Policy: DefaultHealthPolicy}
			if diff := cmp.Diff(tt.want, clock.Cluster(linkHeard(epoch), tt.cluster)); diff != "" {
				t.Errorf("after %v (-want +got):\n%s", tt.age, diff)
			}
		})
	}
}

func TestInstanceHealthAtItsBoundaries(t *testing.T) {
	t.Parallel()
	const us = time.Microsecond
	running := instanceIn(InstanceRunning, at(-time.Hour))
	faulty := running
	faulty.Fault = "GPU 3 fell off the bus"
	const silent = "no report from s in region west-1 since 2026-03-01T12:00:00Z"
	staleAt, goneAt := at(180*time.Second+us), at(600*time.Second+us)
	tests := []struct {
		name     string
		instance Instance
		age      time.Duration
		want     Assessment[InstanceHealth]
	}{
		{"fresh", running, 0, Assessment[InstanceHealth]{InstanceHealthy, "", staleAt}},
		{"before stale", running, 180*time.Second - us, Assessment[InstanceHealth]{InstanceHealthy, "", staleAt}},
		{"at the limit", running, 180 * time.Second, Assessment[InstanceHealth]{InstanceHealthy, "", staleAt}},
		{"past stale", running, 180*time.Second + us, Assessment[InstanceHealth]{InstanceStale, silent, goneAt}},
		{"at the last limit", running, 600 * time.Second, Assessment[InstanceHealth]{InstanceStale, silent, goneAt}},
		{"past offline", running, 600*time.Second + us, Assessment[InstanceHealth]{Health: InstanceOffline, Reason: silent}},
		{"stopped is healthy", instanceIn(InstanceStopped, epoch), 0, Assessment[InstanceHealth]{InstanceHealthy, "", staleAt}},

		{"a fault outweighs stale", faulty, 200 * time.Second, Assessment[InstanceHealth]{InstanceAttention, faulty.Fault, goneAt}},
		{"offline outweighs a fault", faulty, 601 * time.Second, Assessment[InstanceHealth]{Health: InstanceOffline, Reason: silent}},
		{
			"error", instanceIn(InstanceError, at(-time.Hour)), 0,
			Assessment[InstanceHealth]{InstanceAttention, "error since 2026-03-01T11:00:00Z", goneAt},
		},
		{
			"out of stock", instanceIn(InstanceOutOfStock, at(-time.Hour)), 0,
			Assessment[InstanceHealth]{InstanceAttention, "out-of-stock since 2026-03-01T11:00:00Z", goneAt},
		},
		{
			"stopping, not yet too long", instanceIn(InstanceStopping, at(-15*time.Minute)), 0,
			Assessment[InstanceHealth]{InstanceHealthy, "", at(us)},
		},
		{
			"stopping for too long", instanceIn(InstanceStopping, at(-15*time.Minute)), us,
			Assessment[InstanceHealth]{InstanceAttention, "stopping since 2026-03-01T11:45:00Z", goneAt},
		},
		{
			"stale, and soon stopping for too long", instanceIn(InstanceStopping, at(-10*time.Minute)), 200 * time.Second,
			Assessment[InstanceHealth]{InstanceStale, silent, at(5*time.Minute + us)},
		},
		{
			"offline, whatever passes", instanceIn(InstanceStopping, at(600*time.Second)), 601 * time.Second,
			Assessment[InstanceHealth]{Health: InstanceOffline, Reason: silent},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			clock := HealthClock{Now: at(tt.age), Policy: DefaultHealthPolicy}
			if diff := cmp.Diff(tt.want, clock.Instance(linkHeard(epoch), tt.instance)); diff != "" {
				t.Errorf("after %v (-want +got):\n%s", tt.age, diff)
			}
		})
	}
}

func TestEveryPassingStateNeedsAttentionInTheEnd(t *testing.T) {
	t.Parallel()
	want := map[InstanceState]InstanceHealth{
		InstanceCreating: InstanceAttention, InstanceStarting: InstanceAttention,
		InstanceStopping: InstanceAttention, InstanceDeleting: InstanceAttention,
		InstanceRunning: InstanceHealthy, InstanceStopped: InstanceHealthy,
		InstanceOutOfStock: InstanceAttention, InstanceError: InstanceAttention,
	}
	clock := HealthClock{Now: epoch, Policy: DefaultHealthPolicy}
	for _, state := range InstanceStates {
		if got := clock.Instance(linkHeard(epoch), instanceIn(state, at(-16*time.Minute))); got.Health != want[state] {
			t.Errorf("%s for 16 minutes is %s, want %s", state, got.Health, want[state])
		}
	}
}

func TestUnknownSourceIsOffline(t *testing.T) {
	t.Parallel()
	clock := HealthClock{Now: epoch, Policy: DefaultHealthPolicy}
	link := &Link{Region: "west-1"}
	want := Assessment[InstanceHealth]{Health: InstanceOffline, Reason: "no report yet from s in region west-1"}
	if diff := cmp.Diff(want, clock.Instance(link, instanceIn(InstanceRunning, epoch))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAfterAStartNothingIsBetterThanStaleUntilItsRegionSyncs(t *testing.T) {
	t.Parallel()
	link := linkHeard(epoch)
	clock := HealthClock{
		Now:     at(10 * time.Second),
		Policy:  DefaultHealthPolicy,
		Outages: Outages{{From: at(2 * time.Second), To: at(9 * time.Second)}},
	}
	got := clock.Instance(link, instanceIn(InstanceRunning, epoch))
	want := Assessment[InstanceHealth]{
		InstanceStale,
		"region west-1 has not reported since the control plane started at 2026-03-01T12:00:09Z",
		at(607*time.Second + time.Microsecond), // the 7 s without a plane do not count
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("before the sync (-want +got):\n%s", diff)
	}
	link.Accept(SyncReport{AcceptedAt: clock.Now, IssuedAt: clock.Now}, DefaultHealthPolicy, clock.Outages)
	if got := clock.Instance(link, instanceIn(InstanceRunning, epoch)); got.Health != InstanceHealthy {
		t.Errorf("after the sync it is %s (%s), want healthy", got.Health, got.Reason)
	}
}

func TestDowntimeOfThePlaneDoesNotCountTowardsOffline(t *testing.T) {
	t.Parallel()
	const us = time.Microsecond
	// Heard at 0; down from 10 s to 1 h, and for 5 s again later.
	outages := Outages{
		{From: at(-time.Hour), To: at(-time.Minute)}, // before it was heard: of no effect
		{From: at(10 * time.Second), To: at(time.Hour)},
		{From: at(time.Hour + 20*time.Second), To: at(time.Hour + 25*time.Second)},
	}
	lived := 600*time.Second + (time.Hour - 10*time.Second) + 5*time.Second
	for _, tt := range []struct {
		now  time.Duration
		want InstanceHealth
	}{
		{time.Hour + 25*time.Second, InstanceStale},
		{lived, InstanceStale},
		{lived + us, InstanceOffline},
	} {
		clock := HealthClock{Now: at(tt.now), Policy: DefaultHealthPolicy, Outages: outages}
		if got := clock.Instance(linkHeard(epoch), instanceIn(InstanceRunning, epoch)); got.Health != tt.want {
			t.Errorf("at %v it is %s, want %s", tt.now, got.Health, tt.want)
		}
	}
	// Being fresh is another matter: downtime counts towards stale.
	link := linkHeard(epoch)
	link.SyncedAt = at(2 * time.Hour)
	clock := HealthClock{Now: at(2 * time.Hour), Policy: DefaultHealthPolicy, Outages: outages}
	if got := clock.Instance(link, instanceIn(InstanceRunning, epoch)); got.Health == InstanceHealthy {
		t.Errorf("an instance last heard two hours ago is %s", got.Health)
	}
}

func TestEvidenceFromBeforeTheClockWasSetBackProvesNothing(t *testing.T) {
	t.Parallel()
	link := linkHeard(at(24 * time.Hour)) // noted by a clock a day ahead
	clock := HealthClock{Now: epoch, Policy: DefaultHealthPolicy}
	if got := clock.Instance(link, instanceIn(InstanceRunning, epoch)); got.Health != InstanceStale {
		t.Errorf("with evidence a day in the future it is %s, want stale", got.Health)
	}
	link = linkHeard(at(4 * time.Second)) // noted by another replica, a little ahead
	if got := clock.Instance(link, instanceIn(InstanceRunning, epoch)); got.Health != InstanceHealthy {
		t.Errorf("with evidence 4 s in the future it is %s, want healthy", got.Health)
	}
}

// world is one random case of the health computation.
type world struct {
	clock    HealthClock
	link     *Link
	instance Instance
	cluster  Cluster
}

func randomWorld(r *rand.Rand) world {
	span := func(most time.Duration) time.Duration {
		return time.Duration(r.Int64N(int64(most))).Truncate(time.Microsecond)
	}
	states := append(InstanceStates, InstanceRunning, InstanceRunning)
	w := world{
		clock:    HealthClock{Now: epoch, Policy: DefaultHealthPolicy},
		link:     linkHeard(at(-span(12 * time.Minute))),
		instance: instanceIn(states[r.IntN(len(states))], at(-span(20*time.Minute))),
		cluster:  Cluster{ClusterReport: ClusterReport{Source: "s", Down: r.IntN(4) == 0}, StateSince: at(-span(time.Hour))},
	}
	w.link.SyncedAt = at(-span(5 * time.Minute))
	switch r.IntN(10) {
	case 0:
		w.instance.Fault = "disk"
	case 1:
		w.link.Sources = nil
	case 2:
		w.link.Sources["s"] = at(span(time.Minute)) // the clock was set back
	case 6:
		w.instance.MissingSince = at(-span(10 * time.Minute))
		w.cluster.MissingSince = w.instance.MissingSince
	case 3, 4, 5:
		to := at(-span(10 * time.Minute))
		from := to.Add(-span(10 * time.Minute))
		w.clock.Outages = Outages{{From: from.Add(-time.Hour), To: from.Add(-time.Minute)}, {From: from, To: to}}
	}
	return w
}

// TestUntilIsExactlyTheNextChange holds kept lists to their word: an
// assessment is the same up to Until, and another one at Until.
func TestUntilIsExactlyTheNextChange(t *testing.T) {
	t.Parallel()
	const seed1, seed2 = 20260301, 7
	r := rand.New(rand.NewPCG(seed1, seed2))
	changes := map[string]int{}
	for range 6_000 {
		w := randomWorld(r)
		checkUntil(t, r, w, "instance", changes, func(c HealthClock) Assessment[InstanceHealth] { return c.Instance(w.link, w.instance) })
		checkUntil(t, r, w, "cluster", changes, func(c HealthClock) Assessment[ClusterHealth] { return c.Cluster(w.link, w.cluster) })
		if t.Failed() {
			t.Fatalf("seed %d,%d: %+v\nlink %+v", seed1, seed2, w, w.link)
		}
	}
	for _, want := range []string{
		"healthy→stale", "healthy→attention", "stale→offline", "stale→attention", "stale→healthy",
		"attention→offline", "offline→offline",
	} {
		if changes[want] == 0 {
			t.Errorf("no case of %s; got %v", want, changes)
		}
	}
}

func checkUntil[H ClusterHealth | InstanceHealth](t *testing.T, r *rand.Rand, w world, what string, changes map[string]int, assess func(HealthClock) Assessment[H]) {
	t.Helper()
	sight := func(now time.Time) string {
		clock := w.clock
		clock.Now = now
		a := assess(clock)
		return fmt.Sprint(a.Health, "|", a.Reason)
	}
	is := assess(w.clock)
	now := sight(w.clock.Now)
	end := is.Until
	if end.IsZero() {
		end = at(1000 * time.Hour)
	} else {
		clock := w.clock
		clock.Now = end
		changes[fmt.Sprint(is.Health, "→", assess(clock).Health)]++
		if then := sight(end); then == now {
			t.Errorf("%s is still %q at its Until %v", what, now, end)
		}
	}
	if !end.After(w.clock.Now) {
		t.Errorf("%s: Until %v is not after now", what, end)
		return
	}
	span := end.Sub(w.clock.Now)
	for _, d := range []time.Duration{0, span / 2, time.Duration(r.Int64N(int64(span))), span - time.Microsecond} {
		if then := sight(w.clock.Now.Add(d)); d >= 0 && then != now {
			t.Errorf("%s is %q and %v later, before its Until, %q", what, now, d, then)
		}
	}
}

func TestLimitsValidate(t *testing.T) {
	t.Parallel()
	for _, l := range []Limits{DefaultHealthPolicy.Cluster, DefaultHealthPolicy.Instance} {
		if err := l.Validate(); err != nil {
			t.Errorf("the documented limits %v: %v", l, err)
		}
	}
	for name, l := range map[string]Limits{
		"offline before stale": {Stale: 2, Offline: 1},
		"no room for stale":    {Stale: 2, Offline: 2},
		"no stale":             {Stale: 0, Offline: 2},
	} {
		if err := l.Validate(); CodeOf(err) != CodeInvalid {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
	}
}

func TestSoonest(t *testing.T) {
	t.Parallel()
	never := time.Time{}
	for _, tt := range []struct{ t, until, want time.Time }{
		{never, never, never},
		{never, at(1), at(1)},
		{at(1), never, at(1)},
		{at(1), at(2), at(1)},
		{at(2), at(1), at(1)},
	} {
		if got := (Assessment[ClusterHealth]{Until: tt.until}).Soonest(tt.t); !got.Equal(tt.want) {
			t.Errorf("soonest of %v and %v is %v", tt.t, tt.until, got)
		}
	}
}
