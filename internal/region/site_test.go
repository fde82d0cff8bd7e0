package region_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine/simulated"
	"github.com/penstock-cloud/penstock/internal/region"
	"github.com/penstock-cloud/penstock/internal/store/memory"
)

var (
	small = cloud.InstanceType{Name: "cpu.1x", CPU: 1, Memory: 1 << 30}
	large = cloud.InstanceType{Name: "gpu.h100.2x", CPU: 4, Memory: 4 << 30, GPUModel: "H100", GPUCount: 2}
	types = []cloud.InstanceType{small, large}
)

// hostsOf makes hosts with room for four small machines, or one large one.
func hostsOf(n int) []cloud.Host {
	hosts := make([]cloud.Host, n)
	for i := range hosts {
		hosts[i] = cloud.Host{
			Name: fmt.Sprintf("host-%02d", i+1), CPU: 4, Memory: 4 << 30,
			GPUs: []cloud.GPU{{Model: "H100", Address: "0000:01:00.0"}, {Model: "H100", Address: "0000:02:00.0"}},
		}
	}
	return hosts
}

// site is a region whose daemon may die and be started again, while its database
// and its hosts stay.
type site struct {
	t         *testing.T
	store     cloud.RegionStore
	hosts     *simulated.World
	quotas    region.Quotas
	addresses string
	ids       atomic.Int64
	roles     map[cloud.ID]cloud.Role // in organization, by user

	// between is called between any two steps of the daemon at its hosts.
	between func(cloud.ID, simulated.Step) error

	*region.Tenants
	region *region.Region
	stop   func()
}

// on runs a story at a site, in a bubble of time.
func on(t *testing.T, hosts int, story func(*testing.T, *site), change ...func(*simulated.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := simulated.Config{
			Hosts: hostsOf(hosts), Images: []string{"ubuntu22.04", "tiny"},
			Delays: simulated.Delays{
				Prepare: simulated.Span{From: time.Second, To: 2 * time.Second}, Start: simulated.Span{From: time.Second, To: 2 * time.Second},
				Stop: simulated.Span{From: time.Second, To: 2 * time.Second}, Delete: simulated.Span{From: time.Second, To: 2 * time.Second},
			},
			Now: time.Now, After: time.After,
		}
		for _, f := range change {
			f(&c)
		}
		world, err := simulated.Open(c)
		if err != nil {
			t.Fatal(err)
		}
		s := &site{t: t, store: memory.NewRegion(numbered(900)), hosts: world, addresses: "10.64.0.0/24", roles: map[cloud.ID]cloud.Role{ada.Subject: cloud.RoleEditor}}
		s.begin()
		defer func() { s.stop() }()
		story(t, s)
	})
}

// begin starts a daemon.
func (s *site) begin() {
	s.t.Helper()
	log := slog.New(slog.DiscardHandler)
	s.region = region.New(region.Config{
		Store: s.store, Log: log, Now: time.Now, After: time.After, Alone: true,
		NewID: func() cloud.ID { return numbered(1000 + int(s.ids.Add(1))) },
	})
	e := simulated.New(s.hosts, s.between)
	reconciler, err := region.NewReconciler(region.ReconcilerConfig{
		Region: s.region, Engine: e, Addresses: netip.MustParsePrefix(s.addresses), Log: log,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.Tenants = region.NewTenants(region.TenantsConfig{
		Region: s.region, Reconciler: reconciler, Authority: s, Engine: e, Types: types, Quotas: s.quotas, Log: log,
	})
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- reconciler.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) && !errors.Is(err, region.ErrFenced) {
			s.t.Errorf("the reconciler ended with %v", err)
		}
	})
}

// Grant and Organizations implement region.Authority.
func (s *site) Grant(_ context.Context, subject, in cloud.ID) (region.Grant, error) {
	if in != organization {
		return current(cloud.Grant{}), nil
	}
	return current(cloud.Grant{
		Role: s.roles[subject], SSHKeys: []string{"ssh-ed25519 AAAA ada"}, RevokedTokens: []string{"revoked"},
	}), nil
}

func (s *site) Organizations(_ context.Context, subject cloud.ID) ([]cloud.ID, bool, error) {
	if s.roles[subject] == "" {
		return nil, true, nil
	}
	return []cloud.ID{organization}, true, nil
}

// project makes one, and returns who may change it.
func (s *site) project(name string) region.Caller {
	s.t.Helper()
	p, err := s.CreateProject(s.t.Context(), s.admit(""), region.NewProject{Name: name})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.admit(p.ID)
}

func (s *site) admit(project cloud.ID) region.Caller {
	s.t.Helper()
	c, err := s.Admit(s.t.Context(), cloud.Principal{UserID: ada.Subject}, cloud.ActionChangeFleet, "", project)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (s *site) launch(c region.Caller, typ cloud.InstanceType, change ...func(*region.NewInstance)) cloud.ID {
	s.t.Helper()
	in := region.NewInstance{Name: "trainer", Type: typ.Name, Image: "image://tiny"}
	for _, f := range change {
		f(&in)
	}
	m, err := s.CreateInstance(s.t.Context(), c, in)
	if err != nil {
		s.t.Fatal(err)
	}
	return m.ID
}

func preemptible(in *region.NewInstance) { in.Preemptible = true }
func ephemeral(in *region.NewInstance)   { in.Ephemeral = true }

// settle lets time pass in which everything that is under way ends.
func (s *site) settle() {
	time.Sleep(time.Minute)
	synctest.Wait()
}

// soon lets the time pass in which a region sees what happened.
func (s *site) soon() {
	time.Sleep(5 * time.Second)
	synctest.Wait()
}

// gone is the state of what is not there.
const gone = cloud.InstanceState("gone")

func (s *site) state(c region.Caller, id cloud.ID) cloud.InstanceState {
	s.t.Helper()
	m, err := s.Instance(s.t.Context(), c, id)
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		return gone
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return m.State
}

func (s *site) is(c region.Caller, id cloud.ID, want cloud.InstanceState) {
	s.t.Helper()
	if got := s.state(c, id); got != want {
		m, _ := s.Instance(s.t.Context(), c, id)
		s.t.Errorf("instance %s is %s (%s), want %s", id, got, m.Reason, want)
	}
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// clean proves that the hosts have what the region says that they have, and
// nothing else, and that nobody has more than there is.
func (s *site) clean() {
	s.t.Helper()
	type there struct{ on, disk, defined bool }
	want, got := map[cloud.ID]there{}, map[cloud.ID]there{}
	var used []cloud.HostUse
	var machines []cloud.Machine
	s.must(s.store.Read(s.t.Context(), func(r cloud.RegionReader) (err error) {
		if machines, err = r.AllMachines("", 10_000); err != nil {
			return err
		}
		used, err = r.Hosts()
		return err
	}))
	shares := map[string]cloud.HostUse{}
	halfMade := map[cloud.ID]bool{} // to be completed when they start
	for _, m := range machines {
		halfMade[m.ID] = m.Host != "" && !m.Prepared && m.State != cloud.InstanceRunning
		if m.Host != "" && m.Prepared {
			want[m.ID] = there{on: m.State == cloud.InstanceRunning, disk: true, defined: true}
		}
		if m.Placed {
			h := shares[m.Host]
			h.CPUUsed += m.Type.CPU
			h.MemoryUsed += m.Type.Memory
			shares[m.Host] = h
		}
	}
	for _, p := range s.hosts.Disks() {
		if !halfMade[p.ID] {
			got[p.ID] = there{disk: true}
		}
	}
	seen := map[cloud.ID]bool{}
	for _, m := range s.hosts.Machines() {
		if seen[m.ID] {
			s.t.Errorf("machine %s is there twice", m.ID)
		}
		seen[m.ID] = true
		if !halfMade[m.ID] || m.Power == "on" {
			got[m.ID] = there{on: m.Power == "on", disk: got[m.ID].disk, defined: true}
		}
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(there{})); d != "" {
		s.t.Errorf("what the region has (-) and what the hosts have (+):\n%s", d)
	}
	for _, h := range used {
		if h.CPUUsed != shares[h.Name].CPUUsed || h.MemoryUsed != shares[h.Name].MemoryUsed || h.CPUUsed > h.CPU || h.MemoryUsed > h.Memory {
			s.t.Errorf("of host %s %d of %d processors are taken, want %d", h.Name, h.CPUUsed, h.CPU, shares[h.Name].CPUUsed)
		}
	}
	for ip, id := range s.hosts.Addresses() {
		if _, ok := want[id]; !ok && !halfMade[id] {
			s.t.Errorf("the address %s is still that of %s", ip, id)
		}
	}
}

// deaf makes machines not turn themselves off when they are asked to.
func deaf(c *simulated.Config) { c.Faults.Deaf = 1 }
