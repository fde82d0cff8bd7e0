package cloud

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// sync accepts, at an age of the test's world, a report that source "s" was
// heard an age before a nonce was issued.
func (l *Link) sync(now, issued, age time.Duration, outages ...Outage) bool {
	return l.Accept(SyncReport{
		AcceptedAt: at(now), IssuedAt: at(issued), Ages: map[string]time.Duration{"s": age},
	}, DefaultHealthPolicy, outages)
}

func TestAcceptReportsWhatIsToBeSeen(t *testing.T) {
	t.Parallel()
	const s = time.Second
	type step struct {
		now, issued, age time.Duration
		changed          bool
		heard            time.Duration
	}
	tests := []struct {
		name  string
		steps []step
	}{
		{"a first word is news", []step{{0, 0, 0, true, 0}}},
		{"a heartbeat in time is not", []step{
			{0, 0, 0, true, 0},
			{15 * s, 0, 1 * s, false, 0},
			{30 * s, 15 * s, 1 * s, false, 14 * s},
			{104 * s, 29 * s, 0, false, 29 * s},
		}},
		{"out of stale is news", []step{
			{0, 0, 0, true, 0},
			{91 * s, 80 * s, 0, true, 80 * s},
		}},
		{"out of offline is news", []step{
			{0, 0, 0, true, 0},
			{2000 * s, 1700 * s, 0, true, 1700 * s}, // offline for clusters, stale for instances
			{2000 * s, 1990 * s, 0, true, 1990 * s},
		}},
		{"evidence never goes back", []step{
			{100 * s, 100 * s, 0, true, 100 * s},
			{101 * s, 50 * s, 0, false, 100 * s},
			{102 * s, 102 * s, 30 * s, false, 100 * s},
		}},
		{"a silent source's creeping evidence is no news", []step{
			{0, 0, 0, true, 0},
			{700 * s, 600 * s, 600 * s, false, 0},
			{715 * s, 700 * s, 699 * s, false, 0},
			{730 * s, 715 * s, 686 * s, false, 0}, // 29 s later than what is known
		}},
		{"but a later instant in its reason is", []step{
			{0, 0, 0, true, 0},
			{1000 * s, 1000 * s, 970 * s, true, 30 * s},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := &Link{Region: "west-1"}
			for i, step := range tt.steps {
				if changed := l.sync(step.now, step.issued, step.age); changed != step.changed {
					t.Errorf("step %d: changed is %v, want %v", i, changed, step.changed)
				}
				if got := l.Sources["s"]; !got.Equal(at(step.heard)) {
					t.Errorf("step %d: heard at %v, want %v", i, got.Sub(epoch), step.heard)
				}
				if !l.SyncedAt.Equal(at(step.now)) {
					t.Errorf("step %d: synced at %v", i, l.SyncedAt.Sub(epoch))
				}
			}
		})
	}
}

func TestAcceptAfterAStartIsNews(t *testing.T) {
	t.Parallel()
	outage := Outage{From: at(10 * time.Second), To: at(20 * time.Second)}
	l := linkHeard(epoch)
	if !l.sync(25*time.Second, 0, 0, outage) {
		t.Error("the first sync after a start changed nothing to be seen")
	}
	if l.sync(26*time.Second, 20*time.Second, 0, outage) {
		t.Error("the second one did")
	}
	// A source that stays silent: the reason no longer speaks of the start.
	l = linkHeard(epoch)
	if !l.Accept(SyncReport{AcceptedAt: at(200 * time.Second)}, DefaultHealthPolicy, Outages{outage}) {
		t.Error("the reason for a silent source changed unnoticed")
	}
}

func TestAcceptForgetsWhatWasNotedBeforeTheClockWasSetBack(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	l := &Link{Region: "west-1", SyncedAt: at(day), Sources: map[string]time.Time{"s": at(day), "t": at(day)}}
	if !l.sync(0, 0, 200*time.Second) {
		t.Error("evidence was forgotten unnoticed")
	}
	want := map[string]time.Time{"s": at(-200 * time.Second)}
	if diff := cmp.Diff(want, l.Sources); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
}

func TestAcceptLeavesTheFormerSourcesAlone(t *testing.T) {
	t.Parallel()
	l := linkHeard(epoch)
	before := *l
	l.sync(time.Second, time.Second, 0)
	if !before.Sources["s"].Equal(epoch) {
		t.Error("Accept wrote into a map that a copy of the link shares")
	}
}

func TestAcceptRemembersABoundedNumberOfSources(t *testing.T) {
	t.Parallel()
	l := &Link{Region: "west-1", Sources: map[string]time.Time{}}
	for i := range MaxSources {
		l.Sources[fmt.Sprint("old-", i)] = at(time.Duration(i) * time.Microsecond)
	}
	l.Accept(SyncReport{AcceptedAt: at(time.Second), IssuedAt: at(time.Second), Ages: map[string]time.Duration{
		"old-0": 0, "new-1": 0, "new-2": time.Hour,
	}}, DefaultHealthPolicy, nil)
	if len(l.Sources) != MaxSources {
		t.Errorf("%d sources are remembered, want %d", len(l.Sources), MaxSources)
	}
	for name, want := range map[string]bool{"old-0": true, "new-1": true, "new-2": true, "old-1": false, "old-2": false, "old-3": true} {
		if _, got := l.Sources[name]; got != want {
			t.Errorf("%s is remembered: %v, want %v", name, got, want)
		}
	}
}

// TestHealthIsNeverBetterThanTheEvidence lets any messages come in any order
// and compares with what they prove.
func TestHealthIsNeverBetterThanTheEvidence(t *testing.T) {
	t.Parallel()
	const seed1, seed2 = 1, 2
	r := rand.New(rand.NewPCG(seed1, seed2))
	l := &Link{Region: "west-1"}
	var proven time.Time // the latest instant at which the source must have lived
	now := time.Duration(0)
	for i := range 5000 {
		now += time.Duration(r.Int64N(int64(100 * time.Second)))
		if r.IntN(3) > 0 {
			issued := now - time.Duration(r.Int64N(int64(200*time.Second)))
			age := time.Duration(r.Int64N(int64(300 * time.Second)))
			proven = later(proven, at(issued-age))
			before := l.Sources["s"]
			l.sync(now, issued, age)
			if l.Sources["s"].Before(before) {
				t.Fatalf("seed %d,%d step %d: evidence went back from %v to %v", seed1, seed2, i, before, l.Sources["s"])
			}
		}
		clock := HealthClock{Now: at(now), Policy: DefaultHealthPolicy}
		got := clock.Instance(l, instanceIn(InstanceRunning, epoch)).Health
		if fresh := !at(now).After(proven.Add(180 * time.Second)); got == InstanceHealthy && !fresh {
			t.Fatalf("seed %d,%d step %d: healthy %v after the last proof of life", seed1, seed2, i, at(now).Sub(proven))
		}
	}
}
