package managementapi

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// TestListCacheIsBounded keeps lists of many sizes, and proves that memory
// stays bounded and that what was asked for last is what stays.
func TestListCacheIsBounded(t *testing.T) {
	t.Parallel()
	const limit = 20_000
	c, version, now := newListCache(limit), cloud.FleetVersion{Fleet: 1}, time.Unix(1, 0)
	key := func(n int) *listKey {
		return &listKey{operation: "ListInstances", organization: cloud.ID(fmt.Sprint(n))}
	}
	keep := func(n, size int) {
		t.Helper()
		a, err := answerWith(strings.Repeat("x", size), "")
		if err != nil {
			t.Fatal(err)
		}
		c.put(&keptList{key: *key(n), version: version, from: now, answer: a})
		c.checkBooks(t, limit)
	}
	kept := func(n int) bool {
		_, ok := c.get(key(n), version, now)
		return ok
	}
	for n := range 100 {
		keep(n, 100*n)
		kept(0) // asked for all the time
	}
	if !kept(0) || !kept(99) || kept(50) {
		t.Errorf("kept: the one that is in use %v, the last %v, an old one %v", kept(0), kept(99), kept(50))
	}
	keep(0, 2*limit)
	if kept(0) || !kept(99) {
		t.Error("a list beyond the limit is kept, or has driven out others")
	}
	keep(99, 1)
	keep(99, 5000)
	keep(99, 1)
	if !kept(99) {
		t.Error("a list that was replaced is gone")
	}
}

// checkBooks counts what is kept.
func (c *listCache) checkBooks(t *testing.T, limit int) {
	t.Helper()
	bytes := 0
	for _, e := range c.byKey {
		bytes += keptIn(e).answer.Size()
	}
	if bytes != c.bytes || bytes > limit || len(c.byKey) != c.recent.Len() {
		t.Fatalf("%d bytes are kept, %d by the books; limit %d; %d lists by key, %d by use", bytes, c.bytes, limit, len(c.byKey), c.recent.Len())
	}
}

// TestKeptListHolds is about when it does.
func TestKeptListHolds(t *testing.T) {
	t.Parallel()
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	version := cloud.FleetVersion{Fleet: 3, Health: 7}
	for _, c := range []struct {
		from, until time.Time
		version     cloud.FleetVersion
		now         time.Time
		want        bool
	}{
		{at(10), at(20), version, at(10), true},
		{at(10), at(20), version, at(20).Add(-1), true},
		{at(10), at(20), version, at(20), false},
		{at(10), at(20), version, at(10).Add(-1), false},
		{at(10), time.Time{}, version, at(1 << 40), true},
		{at(10), at(20), cloud.FleetVersion{Fleet: 4, Health: 7}, at(15), false},
		{at(10), at(20), cloud.FleetVersion{Fleet: 2, Health: 7}, at(15), false},
		{at(10), at(20), cloud.FleetVersion{Fleet: 3, Health: 8}, at(15), false},
	} {
		k := &keptList{version: version, from: c.from, until: c.until}
		if got := k.holds(c.version, c.now); got != c.want {
			t.Errorf("from %v until %v, of %+v at %v: %v; want %v", c.from.Unix(), c.until.Unix(), c.version, c.now, got, c.want)
		}
	}
}
