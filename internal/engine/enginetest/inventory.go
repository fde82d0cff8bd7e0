package enginetest

import (
	"context"
	"errors"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// InventorySubject is an engine under test that takes no orders.
type InventorySubject struct {
	// New returns an engine. Within one test all of them see the same machines.
	New func(t *testing.T) engine.Inventory
	// Settle lets a running engine go on until it has said what there is to
	// say at first, and for some while after.
	Settle func()
	// Within runs a test in the surroundings that the engine needs, as
	// synctest.Test does; nil means none.
	Within func(t *testing.T, test func(*testing.T))
}

// TestInventory runs the suite of engine.Inventory.
func TestInventory(t *testing.T, s InventorySubject) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, InventorySubject){
		"begins from nothing":       testBegins,
		"takes up after a restart":  testRestart,
		"drops what is not there":   testStrangers,
		"ends when told to":         testEnds,
		"gives up without its sink": testFailure,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if s.Within != nil {
				s.Within(t, func(t *testing.T) { test(t, s) })
				return
			}
			test(t, s)
		})
	}
}

// run lets an engine work on a sink, and ends it.
func (s InventorySubject) run(t *testing.T, sink *Recorder) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- s.New(t).Run(ctx, sink) }()
	s.Settle()
	select {
	case err := <-ended:
		t.Fatalf("the engine ended by itself: %v", err)
	default:
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled Run returned %v, want context.Canceled", err)
	}
	for _, v := range sink.Violations() {
		t.Errorf("violation: %v", v)
	}
}

func testBegins(t *testing.T, s InventorySubject) {
	sink := NewRecorder()
	s.run(t, sink)
	if len(sink.Objects()) == 0 {
		t.Error("the engine reported nothing")
	}
	if len(sink.TimesHeard()) == 0 {
		t.Error("the engine heard nobody")
	}
}

func testRestart(t *testing.T, s InventorySubject) {
	first := NewRecorder()
	s.run(t, first)
	before := first.Objects()
	second := first.Restart()
	s.run(t, second)
	kept := 0
	for key := range second.Objects() {
		if _, known := before[key]; known {
			kept++
		}
	}
	// Some may really have gone meanwhile, but a fleet does not begin anew.
	if kept*2 < len(before) {
		t.Errorf("after a restart %d of %d things are known again", kept, len(before))
	}
	sources := second.TimesHeard()
	for id, i := range second.Instances() {
		if sources[i.Source] == 0 {
			t.Errorf("%s, which vouches for instance %s, was not heard after the restart", i.Source, id)
		}
	}
	for id, c := range second.Clusters() {
		if sources[c.Source] == 0 {
			t.Errorf("%s, which vouches for cluster %s, was not heard after the restart", c.Source, id)
		}
	}
}

func testStrangers(t *testing.T, s InventorySubject) {
	sink := NewRecorder()
	const owner, id = "0190a1c0-ffff-7000-8000-000000000001", "0190a1c0-ffff-7000-8000-000000000002"
	if err := sink.Heard("gone"); err != nil {
		t.Fatal(err)
	}
	if err := sink.Observe(t.Context(), engine.Batch{
		Instances: []engine.Instance{{ID: id, InstanceReport: cloud.InstanceReport{
			OrganizationID: owner, ProjectID: owner, Name: "stranger", Type: "none",
			State: cloud.InstanceRunning, Image: "image://none", Source: "gone",
		}}},
		Clusters: []engine.Cluster{{ID: id, ClusterReport: cloud.ClusterReport{
			OrganizationID: owner, ProjectID: owner, Name: "stranger", Type: cloud.ClusterSlurm, Source: "gone",
		}}},
	}); err != nil {
		t.Fatal(err)
	}
	sink = sink.Restart()
	s.run(t, sink)
	for _, kind := range cloud.ObjectKinds {
		if _, still := sink.Objects()[cloud.ObjectKey{Kind: kind, ID: id}]; still {
			t.Errorf("a %s that the engine does not have is still there", kind)
		}
	}
}

func testEnds(t *testing.T, s InventorySubject) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.New(t).Run(ctx, NewRecorder()); !errors.Is(err, context.Canceled) {
		t.Errorf("Run with a context that had ended returned %v, want context.Canceled", err)
	}
}

func testFailure(t *testing.T, s InventorySubject) {
	broken := errors.New("the region's database is away")
	sink := NewRecorder()
	sink.Fail(broken)
	if err := s.New(t).Run(t.Context(), sink); !errors.Is(err, broken) {
		t.Errorf("Run on a sink that fails returned %v, want that failure", err)
	}
}
