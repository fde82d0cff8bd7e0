package cloud

import (
	"testing"
	"time"
)

func TestGuarded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		lacks, had int64
		want       bool
	}{
		{0, 0, false},
		{10, 10, false}, // all of few
		{11, 11, true},
		{10, 1000, false},
		{11, 54, true}, // 20.4 %
		{11, 55, false},
		{12, 59, true},
		{12, 60, false},
		{20, 100, false},
		{21, 100, true},
		{200_000, 1_000_000, false},
		{200_001, 1_000_000, true},
		{11, 0, true}, // more than there was when the copy was whole
	} {
		if got := Guarded(tt.lacks, tt.had); got != tt.want {
			t.Errorf("a snapshot that lacks %d of %d is guarded: %v, want %v", tt.lacks, tt.had, got, tt.want)
		}
	}
}

func TestAsksAgain(t *testing.T) {
	t.Parallel()
	since := epoch
	for _, tt := range []struct {
		name string
		link Link
		now  time.Time
		want bool
	}{
		{"with nothing missing", Link{}, at(time.Hour), false},
		{"at once", Link{MissingSince: since}, since, false},
		{"just before", Link{MissingSince: since}, at(GuardDelay - time.Microsecond), false},
		{"at the instant", Link{MissingSince: since}, at(GuardDelay), true},
		{"much later", Link{MissingSince: since}, at(1000 * time.Hour), true},
		{"in a snapshot", Link{MissingSince: since, Snapshot: &Snapshot{}}, at(time.Hour), false},
		{"after the clock was set back", Link{MissingSince: since}, at(-24 * time.Hour), false},
	} {
		if got := tt.link.AsksAgain(tt.now); got != tt.want {
			t.Errorf("%s: asks again is %v, want %v", tt.name, got, tt.want)
		}
	}
}

// A snapshot that begins when the plane asks for it confirms what made it ask.
func TestWhatASnapshotConfirms(t *testing.T) {
	t.Parallel()
	link := Link{MissingSince: epoch}
	for d := GuardDelay - time.Microsecond; d <= GuardDelay+time.Microsecond; d += time.Microsecond {
		begun := Snapshot{BegunAt: at(d)}
		if confirms, asks := !link.MissingSince.After(begun.Confirms()), link.AsksAgain(at(d)); confirms != asks {
			t.Errorf("at %v the plane asks: %v; a snapshot that begins then confirms: %v", d, asks, confirms)
		}
	}
	if owed := (Snapshot{}); owed.Confirms().After(time.Time{}) {
		t.Error("a snapshot that has not begun confirms something")
	}
}

func TestAccess(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		access  Access
		a, b, c bool
	}{
		{"open", Access{}, true, true, true},
		{"open but for a", Access{Except: []ID{"a"}}, false, true, true},
		{"closed", Access{Closed: true}, false, false, false},
		{"closed but for a", Access{Closed: true, Except: []ID{"a"}}, true, false, false},
		{"open, a denied", Access{}.With("a", false), false, true, true},
		{"open, a denied twice", Access{}.With("a", false).With("a", false), false, true, true},
		{"open, a denied and allowed", Access{}.With("a", false).With("a", true), true, true, true},
		{"open, a allowed", Access{}.With("a", true), true, true, true},
		{"closed, a and b allowed", Access{Closed: true}.With("b", true).With("a", true), true, true, false},
		{"closed, the last denied", Access{Closed: true, Except: []ID{"a"}}.With("a", false), false, false, false},
	} {
		if a, b, c := tt.access.Admits("a"), tt.access.Admits("b"), tt.access.Admits("c"); a != tt.a || b != tt.b || c != tt.c {
			t.Errorf("%s admits a: %v, b: %v, c: %v; want %v, %v, %v", tt.name, a, b, c, tt.a, tt.b, tt.c)
		}
	}
}

func TestMissingIsNeverHealthy(t *testing.T) {
	t.Parallel()
	const reason = "missing from what region r reports since 2026-03-01T12:00:00Z, and kept until that is confirmed"
	link := linkHeard(epoch)
	in := instanceIn(InstanceRunning, epoch)
	in.Region, in.MissingSince = "r", time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	cl := Cluster{Region: "r", ClusterReport: ClusterReport{Source: "s"}, StateSince: epoch, MissingSince: in.MissingSince}
	for _, tt := range []struct {
		now      time.Duration
		instance InstanceHealth
		cluster  ClusterHealth
	}{
		{0, InstanceAttention, ClusterStale},
		{200 * time.Second, InstanceAttention, ClusterStale},
		{300*time.Second + time.Microsecond, InstanceAttention, ClusterOffline},
		{600*time.Second + time.Microsecond, InstanceOffline, ClusterOffline},
	} {
		clock := HealthClock{Now: at(tt.now), Policy: DefaultHealthPolicy}
		i, c := clock.Instance(link, in), clock.Cluster(link, cl)
		if i.Health != tt.instance || c.Health != tt.cluster {
			t.Errorf("at %v they are %s and %s, want %s and %s", tt.now, i.Health, c.Health, tt.instance, tt.cluster)
		}
		if i.Health == InstanceAttention && i.Reason != reason || c.Health == ClusterStale && c.Reason != reason {
			t.Errorf("at %v the reasons are %q and %q", tt.now, i.Reason, c.Reason)
		}
	}
}
