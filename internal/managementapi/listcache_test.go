package managementapi

import (
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

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
		of := listState{version, c.from, c.until}
		if got := of.holds(c.version, c.now); got != c.want {
			t.Errorf("from %v until %v, of %+v at %v: %v; want %v", c.from.Unix(), c.until.Unix(), c.version, c.now, got, c.want)
		}
	}
}
