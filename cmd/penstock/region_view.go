package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// What the state of a link is called.
const (
	linkNever    = "never"    // nothing was ever reported
	linkSilent   = "silent"   // nothing for as long as makes a cluster stale
	linkSnapshot = "snapshot" // sending all that it has, or about to
	linkSynced   = "synced"
)

// regionView is what an operator sees of a region, in the form of its JSON.
type regionView struct {
	Name         string                     `json:"name"`
	URL          string                     `json:"url"`
	Link         string                     `json:"link"`
	SyncedAt     *time.Time                 `json:"synced_at"`
	SyncAge      *float64                   `json:"sync_age_seconds"`
	Lag          uint64                     `json:"lag_changes"`
	AppliedSeq   uint64                     `json:"applied_seq"`
	Epoch        uint64                     `json:"epoch"`
	Incarnation  cloud.ID                   `json:"incarnation"`
	Skew         *float64                   `json:"clock_skew_seconds"`
	Objects      map[cloud.ObjectKind]int64 `json:"objects"`
	Held         map[cloud.HeldReason]int64 `json:"held"`
	Missing      int64                      `json:"missing"`
	MissingSince *time.Time                 `json:"missing_since"`
	Sources      []sourceView               `json:"sources"` // the one heard longest ago first
}

type sourceView struct {
	Name string  `json:"name"`
	Age  float64 `json:"age_seconds"`
}

func viewRegion(s cloud.RegionStatus, now time.Time) regionView {
	l := s.Link
	v := regionView{
		Name: s.Name, URL: s.URL, Link: linkSynced,
		Lag: l.Lag(), AppliedSeq: l.AppliedSeq, Epoch: l.Epoch, Incarnation: l.Incarnation,
		Objects: map[cloud.ObjectKind]int64{}, Held: map[cloud.HeldReason]int64{},
		Missing: s.Aside.Missing, Sources: []sourceView{},
	}
	for _, kind := range cloud.ObjectKinds {
		v.Objects[kind] = s.Objects[kind]
	}
	for _, reason := range cloud.HeldReasons {
		v.Held[reason] = s.Aside.Held[reason]
	}
	if v.Missing > 0 {
		v.MissingSince = &s.Aside.MissingSince
	}
	for name, heard := range l.Sources {
		v.Sources = append(v.Sources, sourceView{name, seconds(now.Sub(heard))})
	}
	slices.SortFunc(v.Sources, func(a, b sourceView) int {
		return cmp.Or(cmp.Compare(b.Age, a.Age), strings.Compare(a.Name, b.Name))
	})
	if skew, ok := l.Skew(); ok {
		s := seconds(skew)
		v.Skew = &s
	}
	if l.SyncedAt.IsZero() {
		v.Link = linkNever
		return v
	}
	age := seconds(now.Sub(l.SyncedAt))
	v.SyncedAt, v.SyncAge = &l.SyncedAt, &age
	switch {
	case now.Sub(l.SyncedAt) > cloud.DefaultHealthPolicy.Cluster.Stale:
		v.Link = linkSilent
	case l.Snapshot != nil:
		v.Link = linkSnapshot
	}
	return v
}

// seconds is a span as JSON and metrics have it.
func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }

func (v regionView) synced() string {
	if v.SyncAge == nil {
		return "never"
	}
	return span(*v.SyncAge)
}

// heldInAll is how many objects are held for any reason.
func (v regionView) heldInAll() int64 {
	n := v.Missing
	for _, held := range v.Held {
		n += held
	}
	return n
}

// sources sums them up: how many there are, and the greatest age.
func (v regionView) sources() string {
	if len(v.Sources) == 0 {
		return "0"
	}
	return fmt.Sprintf("%d, %s", len(v.Sources), span(v.Sources[0].Age))
}

func (v regionView) skew() string {
	if v.Skew == nil {
		return "?"
	}
	sign := "+"
	if *v.Skew < 0 {
		sign = "-"
	}
	if short := span(math.Abs(*v.Skew)); short != "0s" {
		return sign + short
	}
	return "0s"
}

// span is a number of seconds in two or three figures.
func span(s float64) string {
	d := time.Duration(s * float64(time.Second))
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0fs", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0fm", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0fh", d.Hours())
	default:
		return fmt.Sprintf("%.0fd", d.Hours()/24)
	}
}
