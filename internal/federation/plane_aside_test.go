package federation_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// held is why an instance of the region is held aside.
func (s *stand) held(r *site, n int) cloud.HeldReason {
	s.t.Helper()
	return s.stored(r.name, instanceKey(n))[instanceKey(n)].Held
}

func TestAnObjectOfAnOrganizationThatThereIsNotIsHeld(t *testing.T) {
	t.Parallel()
	const corp cloud.ID = "0195c0de-0000-7000-8000-00000000000c"
	s := newStand(t)
	r, other := joined(s, west), joined(s, east)
	r.run(7, corp, cloud.InstanceRunning)
	r.sync()
	s.same(r)
	if got := s.held(r, 7); got != cloud.HeldUnknownOrganization {
		t.Errorf("it is held for the reason %q", got)
	}
	if got := s.logged.String(); !strings.Contains(got, "its organization does not exist") {
		t.Errorf("the log does not say why: %s", got)
	}
	if got := s.link(west).Held; got != 1 {
		t.Errorf("the link counts %d held objects", got)
	}
	// It owns no id.
	other.run(7, bolt, cloud.InstanceRunning)
	other.sync()
	if got := s.held(other, 7); got != "" {
		t.Errorf("another region's object of the id is held for the reason %q", got)
	}
	other.bury(instanceKey(7))
	other.sync()

	// The organization is made, and any message of the region brings it out.
	s.write(func(w cloud.Writer) error { return w.CreateOrganization(cloud.Organization{ID: corp, Name: "corp"}) })
	r.send(r.heartbeat())
	if got := s.held(r, 7); got != "" || len(s.instances(corp)) != 1 {
		t.Errorf("with the organization it is held for the reason %q", got)
	}
	s.same(r)
	if got := s.link(west).Held; got != 0 {
		t.Errorf("the link counts %d held objects", got)
	}
	s.store.wrote()
	r.send(r.heartbeat())
	if got := s.store.wrote(); !slices.Equal(got, []string{"link"}) {
		t.Errorf("the next heartbeat writes %v", got)
	}
}

func TestAnObjectOfADeniedOrganizationIsHeld(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	s.write(func(w cloud.Writer) error {
		return w.SetAccess(west, cloud.Access{Closed: true, Except: []cloud.ID{bolt}})
	})
	r.run(8, acme, cloud.InstanceRunning)
	r.run(9, bolt, cloud.InstanceRunning)
	r.sync()
	if a, b := s.held(r, 8), s.held(r, 9); a != cloud.HeldDenied || b != "" {
		t.Errorf("the instances of who may not and who may are held for the reasons %q and %q", a, b)
	}
	// One that changes hands is hidden from whoever had it.
	if moved := s.touched(func() { r.run(9, acme, cloud.InstanceRunning); r.sync() }); !slices.Equal(moved, []string{"bolt"}) {
		t.Errorf("a change of hands moves %v", moved)
	}
	r.snapshot() // says it all again
	if got := s.held(r, 8); got != cloud.HeldDenied {
		t.Errorf("after a snapshot it is held for the reason %q", got)
	}
	s.same(r)
	if got := s.link(west).Held; got != 5 { // with three from before
		t.Errorf("the link counts %d held objects", got)
	}
}

// The owner of an id lets go of it in any way; the other region need not say
// again what it has.
func TestAnIDThatIsLetGoOfGoesToWhoClaimsIt(t *testing.T) {
	t.Parallel()
	for name, letGo := range map[string]func(s *stand, owner *site){
		"by a tombstone": func(_ *stand, owner *site) {
			owner.bury(instanceKey(0))
			owner.sync()
		},
		"by a snapshot": func(_ *stand, owner *site) {
			owner.bury(instanceKey(0))
			owner.snapshot()
		},
		"by an organization that is denied": func(s *stand, owner *site) {
			s.write(func(w cloud.Writer) error { return w.SetAccess(west, cloud.Access{Except: []cloud.ID{bolt}}) })
			owner.run(0, bolt, cloud.InstanceRunning)
			owner.sync()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t)
			owner, other := joined(s, west), joined(s, east)
			other.run(0, bolt, cloud.InstanceStopped)
			other.sync()
			other.send(other.heartbeat())
			if got := s.held(other, 0); got != cloud.HeldForeignID {
				t.Fatalf("while it has an owner it is held for the reason %q", got)
			}
			letGo(s, owner)
			if moved := s.touched(func() { other.send(other.heartbeat()) }); !slices.Equal(moved, []string{"bolt"}) {
				t.Errorf("the next heartbeat moves %v", moved)
			}
			if got := s.held(other, 0); got != "" {
				t.Errorf("it is still held for the reason %q", got)
			}
			s.same(owner)
			s.same(other)
		})
	}
}

// A heartbeat in a snapshot must not bring out what the snapshot may lack: it
// would count as seen, or what was seen as unseen.
func TestNothingIsReleasedDuringASnapshot(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	owner, other := joined(s, west), joined(s, east)
	for _, n := range []int{0, 1} {
		other.run(n, bolt, cloud.InstanceStopped)
	}
	other.sync()
	other.bury(instanceKey(0))
	other.applied = other.seq
	id := other.begin()
	if err := other.put(id, 0, other.page(0, 100)); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 1} {
		owner.bury(instanceKey(n))
	}
	owner.sync()
	other.send(other.heartbeat())
	if err := other.commit(id, other.digest()); err != nil {
		t.Fatal(err)
	}
	s.same(other)
	other.send(other.heartbeat())
	s.same(other)
	if got := s.held(other, 1); got != "" {
		t.Errorf("after the snapshot it is held for the reason %q", got)
	}
}

// An object that is held and missing is not the region's word: it stays missing
// when the reason to hold it is gone.
func TestNothingIsReleasedWhileItIsMissing(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := fleet(s, 50)
	r.run(50, stray, cloud.InstanceRunning)
	r.sync()
	began := s.clock()
	r.lose(30, 51)
	r.snapshot()
	s.write(func(w cloud.Writer) error {
		return w.CreateOrganization(cloud.Organization{ID: stray, Name: "stray"})
	})
	r.send(r.heartbeat())
	s.wantMissing(r, began, span(30, 51, 0))
	r.run(50, stray, cloud.InstanceRunning)
	r.sync()
	s.wantMissing(r, began, span(30, 50, 0))
	if got := s.held(r, 50); got != "" {
		t.Errorf("once it is back it is held for the reason %q", got)
	}
}
