package cloud

import (
	"maps"
	"time"
)

// Link is what the plane knows of the stream of reports from one region.
type Link struct {
	Region      string
	Incarnation ID                   // of the region's database; "" before the first hello
	Epoch       uint64               // granted at the last hello; lower ones are fenced
	AppliedSeq  uint64               // the last seq of the region that was applied
	Digest      Digest               // of the plane's copy at AppliedSeq
	SyncedAt    time.Time            // when a sync was accepted last; zero for never
	Sources     map[string]time.Time // the latest instant at which each provably was alive
	Snapshot    *Snapshot            // the one under way, if any
}

// Snapshot is a transfer under way of everything that a region has.
type Snapshot struct {
	ID       ID
	Seq      uint64 // what the region had when it began
	NextPage int    // the page expected next, from 0
	Digest   Digest // of the pages accepted so far
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

// Accept notes a sync. Evidence never goes back: each report is a lower bound
// on when a source was alive.
//
// It reports whether any source's confidence got better, for clusters or for
// instances, so that lists kept from before no longer hold.
func (l *Link) Accept(r SyncReport, p HealthPolicy, outages Outages) (better bool) {
	next := *l
	next.SyncedAt = r.AcceptedAt
	next.Sources = maps.Clone(l.Sources)
	if next.Sources == nil {
		next.Sources = make(map[string]time.Time, len(r.Ages))
	}
	for source, age := range r.Ages {
		if heard := r.IssuedAt.Add(-age); heard.After(next.Sources[source]) {
			next.Sources[source] = heard
		}
	}
	for source := range next.Sources {
		switch l.compare(&next, source, r.AcceptedAt, p, outages) {
		case improved:
			better = true
		case unmoved:
			next.Sources[source] = l.Sources[source]
		case moved:
		}
	}
	*l = next
	return better
}

// movement is what a sync changes about a source.
type movement int

const (
	moved    movement = iota // newer evidence of the same confidence
	improved                 // a better confidence
	unmoved                  // evidence about a silent source that is no news
)

func (l *Link) compare(next *Link, source string, now time.Time, p HealthPolicy, outages Outages) movement {
	silent := false
	for _, limits := range []Limits{p.Cluster, p.Instance} {
		before, _ := l.confidence(now, source, limits, outages)
		after, _ := next.confidence(now, source, limits, outages)
		if after < before {
			return improved
		}
		silent = silent || after != fresh
	}
	if _, known := l.Sources[source]; known && silent && next.Sources[source].Sub(l.Sources[source]) < evidenceGrain {
		return unmoved
	}
	return moved
}
