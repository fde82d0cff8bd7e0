package region_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/region"
)

// shown is a demonstration of five instances.
var shown = []region.NewInstance{
	{Name: "a-1", Type: small.Name, Image: "image://tiny", Tags: cloud.Tags{"purpose": "training"}},
	{Name: "b-1", Type: large.Name, Image: "image://tiny", Preemptible: true},
	{Name: "a-2", Type: small.Name},
	{Name: "b-2", Type: large.Name, Preemptible: true},
	{Name: "a-3", Type: small.Name, Ephemeral: true},
}

const other = cloud.ID("0190a1c0-0000-7000-8000-000000000077")

// demonstrate has a daemon that is started anew demonstrate that.
func (s *site) demonstrate(organizations ...cloud.ID) error {
	s.t.Helper()
	s.stop()
	err := s.Demonstrate(s.t.Context(), organizations, shown)
	s.begin()
	return err
}

// names lists the instances of a region with their organizations and states, as
// the region has them and as it reports them, which is the same.
func (s *site) names() []string {
	s.t.Helper()
	has, reports := map[cloud.ID]string{}, map[cloud.ID]string{}
	line := func(r cloud.InstanceReport) string {
		return r.Name + " of " + string(r.OrganizationID[len(r.OrganizationID)-2:]) + " " + string(r.State)
	}
	s.must(s.store.Read(s.t.Context(), func(tx cloud.RegionReader) error {
		machines, err := tx.AllMachines("", 0)
		for _, m := range machines {
			has[m.ID] = line(m.Report())
		}
		objects, err2 := tx.Objects(cloud.ObjectKey{}, 100)
		for _, o := range objects {
			report, err := cloud.ParseInstanceReport(o.Body)
			s.must(err)
			reports[o.ID] = line(report)
		}
		return errors.Join(err, err2)
	}))
	if d := cmp.Diff(has, reports); d != "" {
		s.t.Errorf("the region has (-) and reports (+):\n%s", d)
	}
	return slices.Sorted(maps.Values(has))
}

func (s *site) shows(want ...string) {
	s.t.Helper()
	if d := cmp.Diff(want, s.names()); d != "" {
		s.t.Errorf("the instances (-want +got):\n%s", d)
	}
}

var running = []string{"a-1 of 01 running", "a-2 of 01 running", "a-3 of 01 running", "b-1 of 77 running", "b-2 of 77 running"}

// What a demonstration shows are instances like any others, and the audit says
// who made them. It is there once, however often the daemon is started.
func TestADemonstrationIsMadeOnceOfInstancesLikeAnyOthers(t *testing.T) {
	t.Parallel()
	on(t, 4, func(t *testing.T, s *site) {
		s.must(s.demonstrate(organization, other))
		s.settle()
		s.shows(running...)
		s.clean()
		var entries []cloud.AuditEntry
		s.must(s.store.Read(t.Context(), func(tx cloud.RegionReader) (err error) {
			theirs, err := tx.AuditEntries(other, cloud.Page{Limit: 100})
			if err == nil {
				entries, err = tx.AuditEntries(organization, cloud.Page{Limit: 100})
			}
			entries = append(entries, theirs...)
			return err
		}))
		made := map[string]int{}
		for _, e := range entries {
			made[e.Action]++
			if want := (cloud.Actor{Kind: cloud.ActorSystem, ID: "penstock"}); e.Actor != want {
				t.Errorf("%s is by %v, want %v", e.Action, e.Actor, want)
			}
		}
		if d := cmp.Diff(map[string]int{"project.create": 2, "instance.create": 5}, made); d != "" {
			t.Errorf("the audit (-want +got):\n%s", d)
		}
		s.must(s.demonstrate(organization))
		s.shows(running...)
	})
}

func TestADemonstrationThatWasDeletedDoesNotComeBack(t *testing.T) {
	t.Parallel()
	on(t, 4, func(t *testing.T, s *site) {
		s.must(s.demonstrate(organization))
		s.settle()
		projects, err := s.Projects(t.Context(), s.admit(""))
		s.must(err)
		c := s.admit(projects[0].ID)
		machines, err := s.Instances(t.Context(), c)
		s.must(err)
		s.must(s.StopInstance(t.Context(), c, machines[0].ID))
		s.settle()
		s.is(c, machines[0].ID, cloud.InstanceStopped)
		for _, m := range machines {
			s.must(s.DeleteInstance(t.Context(), c, m.ID))
		}
		s.settle()
		s.must(s.DeleteProject(t.Context(), c, c.ProjectID))
		s.must(s.demonstrate(organization))
		s.settle()
		s.shows()
		s.clean()
	})
}

// dying fails the transaction that puts this many machines.
type dying struct {
	cloud.RegionStore
	machines int
}

type dyingWriter struct {
	cloud.RegionWriter
	left *int
}

func (d dying) Write(ctx context.Context, fn func(cloud.RegionWriter) error) error {
	return d.RegionStore.Write(ctx, func(w cloud.RegionWriter) error { return fn(dyingWriter{w, &d.machines}) })
}

func (w dyingWriter) PutMachine(m cloud.Machine) error {
	if *w.left--; *w.left < 0 {
		return errDied
	}
	return w.RegionWriter.PutMachine(m)
}

// A daemon that dies in the midst leaves nothing, and the next one makes all.
func TestADemonstrationIsWholeOrNotThere(t *testing.T) {
	t.Parallel()
	on(t, 4, func(t *testing.T, s *site) {
		whole := s.store
		for n := range len(shown) {
			s.stop()
			s.store = dying{whole, n}
			s.begin()
			if err := s.demonstrate(organization, other); !errors.Is(err, errDied) {
				t.Fatalf("Demonstrate returned %v, want that it died", err)
			}
			s.stop()
			s.store = whole
			s.begin()
			s.shows()
		}
		s.must(s.demonstrate(organization, other))
		s.settle()
		if got := s.names(); len(got) != len(shown) {
			t.Errorf("there is %q", got)
		}
	})
}

func TestNothingIsDemonstratedWhereThereIsSomething(t *testing.T) {
	t.Parallel()
	on(t, 1, func(t *testing.T, s *site) {
		s.launch(s.project("research"), small)
		s.settle()
		s.must(s.demonstrate(organization))
		s.shows("trainer of 01 running")
	})
}

func TestADemonstrationOfWhatThereIsNotIsRefused(t *testing.T) {
	t.Parallel()
	on(t, 1, func(t *testing.T, s *site) {
		s.stop()
		err := s.Demonstrate(t.Context(), []cloud.ID{organization}, []region.NewInstance{{Name: "a", Type: "gpu.9x"}})
		refused(t, "a demonstration", err, cloud.CodeInvalid, `"a"`)
		s.begin()
		s.shows()
	})
}
