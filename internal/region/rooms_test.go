package region_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// What is remembered of hosts is only a hint: where it is wrong, nobody gets what
// another one has, and it is right again.
func TestPlacesThatAreMisremembered(t *testing.T) {
	t.Parallel()
	on(t, 2, func(t *testing.T, s *site) {
		c := s.project("research")
		first := s.launch(c, large)
		s.settle()
		s.region.Misremember(hostsOf(2))
		second, third := s.launch(c, large), s.launch(c, large)
		s.settle()
		s.is(c, first, cloud.InstanceRunning)
		states := map[cloud.InstanceState]int{s.state(c, second): 1}
		states[s.state(c, third)]++
		if d := cmp.Diff(map[cloud.InstanceState]int{cloud.InstanceRunning: 1, cloud.InstanceOutOfStock: 1}, states); d != "" {
			t.Errorf("two that compete for one host (-want +got):\n%s", d)
		}
		s.clean()
	})
}

// What is remembered follows every change, so that placements need not read.
func TestHostsAreRemembered(t *testing.T) {
	t.Parallel()
	on(t, 2, func(t *testing.T, s *site) {
		c := s.project("research")
		a, b, _ := s.launch(c, large), s.launch(c, small), s.launch(c, small)
		s.settle()
		s.must(s.StopInstance(t.Context(), c, a))
		s.must(s.DeleteInstance(t.Context(), c, b))
		s.settle()
		s.launch(c, large)
		s.settle()
		var used []cloud.HostUse
		s.must(s.store.Read(t.Context(), func(r cloud.RegionReader) (err error) {
			used, err = r.Hosts()
			return err
		}))
		if d := cmp.Diff(used, s.region.Remembers(), cmpopts.EquateEmpty()); d != "" {
			t.Errorf("what is taken (-) and what is remembered (+):\n%s", d)
		}
		s.clean()
	})
}
