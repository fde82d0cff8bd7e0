package cloud

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// Link is what the plane knows of the stream of reports from one region.
type Link struct {
	Region      string
	Incarnation ID                   // of the region's database; "" before the first hello
	Epoch       uint64               // granted at the last hello; lower ones are fenced
	AppliedSeq  uint64               // the last seq of the region that was applied
	HeardSeq    uint64               // the last seq that the region was heard to be at
	Digest      Digest               // of the plane's copy at AppliedSeq, without what is missing
	SyncedAt    time.Time            // when a sync was accepted last; zero for never
	AuditLast   ID                   // of the region's audit, what came last; "" before the first
	Sources     map[string]time.Time // the latest instant at which each provably was alive
	Snapshot    *Snapshot            // the one under way, if any

	// What of the copy needs attention. Every message that changes it counts
	// anew.
	Held         int64     // objects that are not shown
	MissingSince time.Time // the earliest of those held as missing; zero if none is

	// Clock is what the region's own clock said at SyncedAt; zero if it did not
	// tell. It is shown to the operator, and nothing is decided by it.
	Clock time.Time
}

// NoteAside notes what of the copy is held or missing.
func (l *Link) NoteAside(a Aside) {
	l.Held, l.MissingSince = 0, a.MissingSince
	for _, n := range a.Held {
		l.Held += n
	}
}

// Lag is how many changes the region is known to have that are not applied.
func (l *Link) Lag() uint64 { return max(l.HeardSeq, l.AppliedSeq) - l.AppliedSeq }

// Skew is how far the region's clock is ahead of the plane's, as far as the
// time that a message takes; ok is false if the region did not tell.
func (l *Link) Skew() (skew time.Duration, ok bool) {
	return l.Clock.Sub(l.SyncedAt), !l.Clock.IsZero()
}

// Snapshot is a transfer under way of everything that a region has.
type Snapshot struct {
	ID       ID
	Seq      uint64 // what the region had when it began
	NextPage int    // the page expected next, from 0
	Digest   Digest // of the pages accepted so far
	BegunAt  time.Time
	Had      int64 // how many objects the copy had when it was last whole
}

// evidenceGrain is the play in evidence about a silent source. A source that
// was not heard again yields slightly later lower bounds on when it was (the
// nonce trails the message by up to a sync's interval); that is no news.
const evidenceGrain = 30 * time.Second

// SyncReport is what an accepted sync says of its region's sources.
type SyncReport struct {
	AcceptedAt time.Time
	IssuedAt   time.Time                // when the plane issued the nonce that it echoes
	Ages       map[string]time.Duration // how long before sending each source was last heard
}

// MaxSources bounds how many sources of a region are remembered.
const MaxSources = 10_000

// SetBack moves all that was noted, since the clock by which it was noted was set
// back, by at least and at most so much: no evidence gets younger by that, and
// nothing that waits for something gets older.
func (l *Link) SetBack(by, least time.Duration) {
	if !l.MissingSince.IsZero() {
		l.MissingSince = l.MissingSince.Add(-least)
	}
	if l.Snapshot != nil && !l.Snapshot.BegunAt.IsZero() {
		snapshot := *l.Snapshot
		snapshot.BegunAt = snapshot.BegunAt.Add(-by)
		l.Snapshot = &snapshot
	}
	if !l.SyncedAt.IsZero() {
		l.SyncedAt = l.SyncedAt.Add(-by)
	}
	l.Sources = maps.Clone(l.Sources)
	for source, heard := range l.Sources {
		l.Sources[source] = heard.Add(-by)
	}
}

// Accept notes a sync. Evidence never goes back: each report is a lower bound
// on when a source was alive. Only what was noted before the plane's own clock
// was set back is forgotten, and over MaxSources what was silent longest.
//
// It reports whether it changes the health, or the reason for it, of what any
// source vouches for, so that lists kept from before no longer hold.
func (l *Link) Accept(r SyncReport, p HealthPolicy, outages Outages) (changed bool) {
	before := *l
	before.Sources = make(map[string]time.Time, len(l.Sources))
	for source, heard := range l.Sources {
		if !heard.After(r.AcceptedAt.Add(ClockPlay)) {
			before.Sources[source] = heard
		}
	}
	changed = len(before.Sources) < len(l.Sources) || l.SyncedAt.Before(outages.LastEnd())
	l.SyncedAt, l.Sources = r.AcceptedAt, maps.Clone(before.Sources)
	for source, age := range r.Ages {
		if heard := r.IssuedAt.Add(-age); heard.After(l.Sources[source]) {
			l.Sources[source] = heard
		}
	}
	for source := range l.Sources {
		switch before.compare(l, source, r.AcceptedAt, p, outages) {
		case noticed:
			changed = true
		case unmoved:
			l.Sources[source] = before.Sources[source]
		case moved:
		}
	}
	l.forgetSilent(r.Ages)
	return changed
}

// movement is what a sync changes about a source.
type movement int

const (
	moved   movement = iota // newer evidence that changes nothing to be seen
	noticed                 // a better confidence, or a later instant in its reason
	unmoved                 // evidence about a silent source that is no news
)

func (l *Link) compare(next *Link, source string, now time.Time, p HealthPolicy, outages Outages) movement {
	silent := false
	for _, limits := range []Limits{p.Cluster, p.Instance} {
		before := l.believe(now, source, limits, outages)
		after := next.believe(now, source, limits, outages)
		if after.confidence < before.confidence {
			return noticed
		}
		silent = silent || after.confidence != fresh
	}
	before, known := l.Sources[source]
	switch news := next.Sources[source].Sub(before); {
	case !silent:
		return moved
	case known && news < evidenceGrain:
		return unmoved
	default:
		return noticed
	}
}

// forgetSilent forgets what was heard of longest ago, until no more than
// MaxSources remain. Those reported now stay.
func (l *Link) forgetSilent(reported map[string]time.Duration) {
	excess := len(l.Sources) - MaxSources
	if excess <= 0 {
		return
	}
	var silent []string
	for source := range l.Sources {
		if _, ok := reported[source]; !ok {
			silent = append(silent, source)
		}
	}
	slices.SortFunc(silent, func(a, b string) int {
		return cmp.Or(l.Sources[a].Compare(l.Sources[b]), strings.Compare(a, b))
	})
	for _, source := range silent[:min(excess, len(silent))] {
		delete(l.Sources, source)
	}
}
