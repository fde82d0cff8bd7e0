package cloud

import (
	"fmt"
	"time"
)

// ClusterHealth says how far to believe what a region said of a cluster.
type ClusterHealth string

// InstanceHealth says how far to believe what a region said of an instance.
type InstanceHealth string

// The healths, as the contract's enums spell them.
const (
	ClusterHealthy ClusterHealth = "healthy"
	ClusterStale   ClusterHealth = "stale"
	ClusterOffline ClusterHealth = "offline"

	InstanceHealthy   InstanceHealth = "healthy"
	InstanceStale     InstanceHealth = "stale"
	InstanceAttention InstanceHealth = "attention"
	InstanceOffline   InstanceHealth = "offline"
)

// Limits are the ages up to which a report is fresh, and then stale; an older
// one is offline.
type Limits struct{ Stale, Offline time.Duration }

// Validate refuses limits that contradict each other.
func (l Limits) Validate() error {
	if l.Stale <= 0 || l.Offline <= l.Stale {
		return Invalid("must satisfy 0 < stale < offline; got %v and %v", l.Stale, l.Offline)
	}
	return nil
}

// HealthPolicy holds the settings of the health computation.
type HealthPolicy struct {
	Cluster, Instance Limits
	Passing           time.Duration // how long a passing state may last before it needs attention
}

// DefaultHealthPolicy is the documented one.
var DefaultHealthPolicy = HealthPolicy{
	Cluster:  Limits{Stale: 90 * time.Second, Offline: 300 * time.Second},
	Instance: Limits{Stale: 180 * time.Second, Offline: 600 * time.Second},
	Passing:  15 * time.Minute,
}

// Outage is a span in which the plane itself did not run, so that no region
// could report.
type Outage struct{ From, To time.Time }

// Outages are the plane's, oldest first, the last one ending at its last start.
type Outages []Outage

// LastEnd is when the plane started last; zero if it never was down.
func (o Outages) LastEnd() time.Time {
	if len(o) == 0 {
		return time.Time{}
	}
	return o[len(o)-1].To
}

// overlap is how much of the span from..to the plane was down.
func (o Outages) overlap(from, to time.Time) time.Duration {
	var sum time.Duration
	for _, out := range o {
		start, end := later(out.From, from), earlier(out.To, to)
		if end.After(start) {
			sum += end.Sub(start)
		}
	}
	return sum
}

// confidence says how recent the evidence for a source is; higher is worse.
type confidence int

const (
	fresh confidence = iota
	stale
	offline
)

// tick is the grain of stored times; a limit is passed one tick after it.
const tick = time.Microsecond

// ClockPlay is how far evidence may lie in the future, since the clocks of one
// plane's replicas differ. What lies further was noted before the clock was
// set back, and its age is unknown.
const ClockPlay = 5 * time.Second

// belief is how far to believe what a source said, and when that changes if
// nothing more is heard (zero: never).
type belief struct {
	confidence
	until       time.Time // the next change
	offlineFrom time.Time // zero if it is offline
}

// believe computes how far to believe what a source said.
func (l *Link) believe(now time.Time, source string, limits Limits, outages Outages) belief {
	heard, known := l.Sources[source]
	if !known {
		return belief{confidence: offline}
	}
	// Time in which the plane was down does not count towards offline.
	gone := heard.Add(limits.Offline + outages.overlap(heard, now) + tick)
	aged := heard.Add(limits.Stale + tick)
	believable := heard.Add(-ClockPlay)
	synced := !l.SyncedAt.Before(outages.LastEnd())
	switch {
	case !now.Before(gone):
		return belief{confidence: offline}
	case synced && now.Before(believable):
		return belief{stale, believable, gone}
	case synced && now.Before(aged):
		return belief{fresh, aged, gone}
	default:
		return belief{stale, gone, gone}
	}
}

// silence words the reason for a source that is not fresh.
func (l *Link) silence(source string, c confidence, outages Outages) string {
	heard, known := l.Sources[source]
	switch {
	case !known:
		return fmt.Sprintf("no report yet from %s in region %s", source, l.Region)
	case c == stale && l.SyncedAt.Before(outages.LastEnd()):
		return fmt.Sprintf("region %s has not reported since the control plane started at %s", l.Region, instant(outages.LastEnd()))
	default:
		return fmt.Sprintf("no report from %s in region %s since %s", source, l.Region, instant(heard))
	}
}

// Assessment is a health with its reason, and until when it holds if nothing
// is reported (zero: for ever).
type Assessment[H ClusterHealth | InstanceHealth] struct {
	Health H
	Reason string // "" when healthy; names instants, never spans
	Until  time.Time
}

// HealthClock is what health is computed with: the time, and what the plane
// knows of itself.
type HealthClock struct {
	Now     time.Time
	Policy  HealthPolicy
	Outages Outages
}

// Cluster computes the health of a cluster: a pure function of the clock, the
// link and the last report. One whose prober found it down is offline at once.
// One that is held as missing is stale at best: clusters know no attention.
func (c HealthClock) Cluster(link *Link, cl Cluster) Assessment[ClusterHealth] {
	b := link.believe(c.Now, cl.Source, c.Policy.Cluster, c.Outages)
	switch {
	case b.confidence == offline:
		return Assessment[ClusterHealth]{Health: ClusterOffline, Reason: link.silence(cl.Source, b.confidence, c.Outages)}
	case cl.Down:
		return Assessment[ClusterHealth]{ClusterOffline, "its API does not answer since " + instant(cl.StateSince), b.offlineFrom}
	case !cl.MissingSince.IsZero():
		return Assessment[ClusterHealth]{ClusterStale, absence(cl.Region, cl.MissingSince), b.offlineFrom}
	case b.confidence == stale:
		return Assessment[ClusterHealth]{ClusterStale, link.silence(cl.Source, b.confidence, c.Outages), b.until}
	default:
		return Assessment[ClusterHealth]{Health: ClusterHealthy, Until: b.until}
	}
}

// Instance computes the health of an instance. Precedence: offline, attention,
// stale, healthy; stopped is healthy.
func (c HealthClock) Instance(link *Link, in Instance) Assessment[InstanceHealth] {
	b := link.believe(c.Now, in.Source, c.Policy.Instance, c.Outages)
	trouble, troubleAt := c.trouble(in)
	switch {
	case b.confidence == offline:
		return Assessment[InstanceHealth]{Health: InstanceOffline, Reason: link.silence(in.Source, b.confidence, c.Outages)}
	case trouble != "":
		return Assessment[InstanceHealth]{InstanceAttention, trouble, b.offlineFrom}
	case b.confidence == stale:
		return Assessment[InstanceHealth]{InstanceStale, link.silence(in.Source, b.confidence, c.Outages), soonest(b.until, troubleAt)}
	default:
		return Assessment[InstanceHealth]{Health: InstanceHealthy, Until: soonest(b.until, troubleAt)}
	}
}

// trouble words the positive bad news about an instance, if any, or gives the
// instant at which a passing state will have lasted too long (zero: never).
func (c HealthClock) trouble(in Instance) (reason string, at time.Time) {
	since := instant(in.StateSince)
	switch {
	case !in.MissingSince.IsZero():
		return absence(in.Region, in.MissingSince), at
	case in.Fault != "":
		return in.Fault, at
	case in.State == InstanceError || in.State == InstanceOutOfStock:
		return fmt.Sprintf("%s since %s", in.State, since), at
	case in.State.Passing():
		at = in.StateSince.Add(c.Policy.Passing + tick)
		if !c.Now.Before(at) {
			return fmt.Sprintf("%s since %s", in.State, since), time.Time{}
		}
	}
	return "", at
}

// absence words the reason for what is held as missing.
func absence(region string, since time.Time) string {
	return fmt.Sprintf("missing from what region %s reports since %s, and kept until that is confirmed", region, instant(since))
}

// instant is how reasons write a time: RFC 3339, UTC, to the second.
func instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// soonest is the earlier of two instants of which zero means never.
func soonest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Soonest is the earliest of an instant and an assessment's end; zero means
// never.
func (a Assessment[H]) Soonest(t time.Time) time.Time { return soonest(t, a.Until) }
