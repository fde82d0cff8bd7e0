package control_test

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
)

// TestStartsOfReplicas has processes of a plane start: beside others that run it
// makes nothing stale, and after an outage of all of them it does, once, though
// they start at once and under different URLs. Fails if Start does not hold the
// plane's row before it looks.
func TestStartsOfReplicas(t *testing.T) {
	t.Parallel()
	stores := replicas(t, databases["PostgreSQL"](t))
	began := time.Date(2026, 3, 2, 15, 30, 0, 0, time.UTC)
	now := began
	var ticks atomic.Int64 // no two processes read the same time
	process := func(n int) *control.Control {
		return control.New(stores[n%2], func() time.Time { return now.Add(time.Duration(ticks.Add(1)) * time.Microsecond) }, nil, cloud.DefaultHealthPolicy)
	}
	plane := func() (p cloud.Plane) {
		if err := stores[0].Read(t.Context(), func(r cloud.Reader) (err error) {
			p, err = r.Plane()
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return p
	}
	if err := process(0).Start(t.Context(), "http://a.example.com"); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2*control.AliveInterval - time.Second)
	if err := process(1).Start(t.Context(), "http://a.example.com"); err != nil {
		t.Fatal(err)
	}
	if outages := plane().Outages; len(outages) > 0 {
		t.Errorf("beside another that runs, a start notes the outages %v", outages)
	}
	for round := range 10 {
		now = now.Add(time.Minute)
		var starts sync.WaitGroup
		for n := range 4 {
			starts.Go(func() {
				if err := process(n).Start(t.Context(), fmt.Sprintf("http://%d-%d.example.com", round, n)); err != nil {
					t.Errorf("Start: %v", err)
				}
			})
		}
		starts.Wait()
		p := plane()
		if len(p.Outages) != round+1 {
			t.Fatalf("after %d outages %d are noted: %v", round+1, len(p.Outages), p.Outages)
		}
		if want := 1 + 4*(round+1); len(p.Issuers) != want || len(slices.Compact(slices.Sorted(slices.Values(p.Issuers)))) != want {
			t.Fatalf("the issuers are %v; want %d of them", p.Issuers, want)
		}
	}
}
