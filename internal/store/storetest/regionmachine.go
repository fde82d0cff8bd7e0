package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// The hosts of the cast, and what is on them.
var (
	small = cloud.InstanceType{Name: "small", CPU: 2, Memory: 4 << 30}
	large = cloud.InstanceType{Name: "large", CPU: 4, Memory: 4 << 30, GPUModel: "H100", GPUCount: 2}
	left  = cloud.Host{Name: "left", CPU: 8, Memory: 16 << 30, GPUs: []cloud.GPU{
		{Model: "H100", Address: "0000:17:00.0"}, {Model: "H100", Address: "0000:65:00.0"}, {Model: "L4", Address: "0000:ca:00.0"},
	}}
	right = cloud.Host{Name: "right", CPU: 4, Memory: 64 << 30, GPUs: []cloud.GPU{{Model: "H100", Address: "0000:17:00.0"}}}
)

// idle is a machine that holds nothing.
func idle(n int, size cloud.InstanceType) cloud.Machine {
	return cloud.Machine{
		ID: id(n), OrganizationID: acme.ID, ProjectID: north.ID, CreatedAt: now,
		MachineSpec: cloud.MachineSpec{Name: fmt.Sprintf("m%d", n), Type: size},
		Goal:        cloud.GoalRunning, State: cloud.InstanceCreating,
	}
}

// placed is a machine that has its share of a host.
func placed(n int, size cloud.InstanceType, host, ip string, gpus ...string) cloud.Machine {
	m := idle(n, size)
	m.Placed, m.Host, m.IP, m.GPUs = true, host, ip, gpus
	return m
}

// changed is a machine with a difference.
func changed(m cloud.Machine, by func(*cloud.Machine)) cloud.Machine {
	by(&m)
	return m
}

// furnish makes the projects and the hosts.
func furnish(t *testing.T, s cloud.RegionStore) {
	t.Helper()
	change(t, s, func(w cloud.RegionWriter) error {
		return first(w.PutProject(north), w.PutProject(other), w.SetHosts([]cloud.Host{right, left}))
	})
}

func place(t *testing.T, s cloud.RegionStore, machines ...cloud.Machine) {
	t.Helper()
	change(t, s, func(w cloud.RegionWriter) error { return putMachines(w, machines...) })
}

func putMachines(w cloud.RegionWriter, machines ...cloud.Machine) error {
	for _, m := range machines {
		if err := w.PutMachine(m); err != nil {
			return err
		}
	}
	return nil
}

// hostsAre checks what is taken of the hosts, as used writes it.
func hostsAre(t *testing.T, s cloud.RegionStore, what string, want ...string) {
	t.Helper()
	got := []string{}
	for _, h := range see(t, s, cloud.RegionReader.Hosts) {
		got = append(got, used(h))
	}
	equal(t, "the hosts "+what, got, append([]string{}, want...))
}

// used writes what is taken of a host, as "left 2/8 4Gi/16Gi [0000:17:00.0]/3".
func used(h cloud.HostUse) string {
	return fmt.Sprintf("%s %d/%d %s/%s %v/%d", h.Name, h.CPUUsed, h.CPU, h.MemoryUsed, h.Memory, h.GPUsUsed, len(h.GPUs))
}

func testRegionMachines(t *testing.T, open func() cloud.RegionStore) {
	s := open()
	furnish(t, s)
	text := strings.Repeat("QUJD", 16<<10)
	full := cloud.Machine{
		ID: id(502), OrganizationID: acme.ID, ProjectID: north.ID,
		MachineSpec: cloud.MachineSpec{
			Name: "☂", Type: large, Image: "image://debian", Preemptible: true, Ephemeral: true, UserData: &text,
			Filesystems: []cloud.ID{id(602), id(601)}, Tags: cloud.Tags{"a": "\x00\""}, SSHKeys: []string{"ssh-ed25519 A", "ssh-rsa B"},
		},
		CreatedBy: ada.ID, CreatedAt: now, Goal: cloud.GoalStopped, State: cloud.InstanceError, Reason: "it \"burns\"",
		Host: "left", Placed: true, GPUs: []string{"0000:65:00.0", "0000:17:00.0"}, IP: "10.0.0.9", Prepared: true,
	}
	empty := ""
	bare := cloud.Machine{ID: id(501), ProjectID: north.ID, MachineSpec: cloud.MachineSpec{
		UserData: &empty, Filesystems: []cloud.ID{}, Tags: cloud.Tags{}, SSHKeys: []string{},
	}}
	foreign := changed(idle(503, small), func(m *cloud.Machine) { m.ProjectID, m.OrganizationID = other.ID, beta.ID })
	place(t, s, foreign, full, bare)

	for _, m := range []cloud.Machine{full, bare, foreign} {
		equal(t, "the machine "+m.Name, see(t, s, of(cloud.RegionReader.Machine, m.ID)), m)
	}
	equal(t, "north's machines", see(t, s, of(cloud.RegionReader.Machines, north.ID)), []cloud.Machine{bare, full})
	equal(t, "the number of north's machines", see(t, s, of(cloud.RegionReader.CountMachines, north.ID)), int64(2))
	equal(t, "the machines of no project", len(see(t, s, of(cloud.RegionReader.Machines, id(999)))), 0)
	equal(t, "the number of machines of no project", see(t, s, of(cloud.RegionReader.CountMachines, id(999))), int64(0))
	absent(t, s, "instance", cloud.RegionReader.Machine)

	for limit := range 5 {
		got, after := []cloud.Machine{}, cloud.ID("")
		for {
			part := see(t, s, func(r cloud.RegionReader) ([]cloud.Machine, error) { return r.AllMachines(after, limit) })
			if got = append(got, part...); limit == 0 || len(part) == 0 {
				break
			}
			if len(part) > limit {
				t.Fatalf("got a page of %d machines; want at most %d", len(part), limit)
			}
			after = part[len(part)-1].ID
		}
		equal(t, fmt.Sprintf("all machines in pages of %d", limit), got, []cloud.Machine{bare, full, foreign})
	}

	full.State, full.Reason = cloud.InstanceStopped, ""
	place(t, s, full)
	equal(t, "a machine after a change", see(t, s, of(cloud.RegionReader.Machine, full.ID)), full)
	denied(t, s, cloud.CodeNotFound, "project", func(w cloud.RegionWriter) error {
		return w.PutMachine(changed(full, func(m *cloud.Machine) { m.ProjectID = id(999) }))
	})
	change(t, s, func(w cloud.RegionWriter) error { return w.DeleteMachine(full.ID) })
	equal(t, "north's machines without one", see(t, s, of(cloud.RegionReader.Machines, north.ID)), []cloud.Machine{bare})
	denied(t, s, cloud.CodeNotFound, "instance", func(w cloud.RegionWriter) error { return w.DeleteMachine(full.ID) })
}

// What is stored is nobody's to change in passing.
func testRegionMachinesAreCopies(t *testing.T, open func() cloud.RegionStore) {
	s := open()
	furnish(t, s)
	m := placed(501, large, "left", "10.0.0.1", "0000:17:00.0")
	m.Tags = cloud.Tags{"a": "b"}
	place(t, s, m)
	m.GPUs[0], m.Tags["a"] = "0000:65:00.0", "changed"
	got := see(t, s, of(cloud.RegionReader.Machine, m.ID))
	equal(t, "the GPUs and tags", []any{got.GPUs, got.Tags}, []any{[]string{"0000:17:00.0"}, cloud.Tags{"a": "b"}})
	got.GPUs[0], got.Tags["a"] = "0000:65:00.0", "changed"
	got = see(t, s, of(cloud.RegionReader.Machine, m.ID))
	equal(t, "the GPUs and tags after a look", []any{got.GPUs, got.Tags}, []any{[]string{"0000:17:00.0"}, cloud.Tags{"a": "b"}})
}

func testRegionYielding(t *testing.T, open func() cloud.RegionStore) {
	s := open()
	furnish(t, s)
	preemptible := func(m cloud.Machine, age time.Duration) cloud.Machine {
		m.Preemptible, m.CreatedAt = true, now.Add(-age)
		return m
	}
	oldest := preemptible(placed(503, small, "left", ""), time.Hour)
	twin := preemptible(placed(501, small, "right", ""), time.Minute)
	younger := preemptible(placed(502, small, "left", ""), time.Minute) // of one time, the later id
	off := preemptible(changed(placed(504, small, "left", ""), func(m *cloud.Machine) { m.Placed = false }), 0)
	wanted := changed(placed(505, small, "left", ""), func(m *cloud.Machine) { m.Goal = cloud.GoalRunning })
	leaving := changed(placed(506, small, "left", ""), func(m *cloud.Machine) { m.Goal, m.CreatedAt = cloud.GoalDeleted, now })
	place(t, s, oldest, twin, younger, off, wanted, leaving)
	equal(t, "the machines that yield", see(t, s, cloud.RegionReader.YieldingMachines), []cloud.Machine{leaving, younger, twin, oldest})
}

// testRegionRoom is a story of who has what of two hosts. Whatever is refused
// changes nothing, and the transaction in which it was can go on.
func testRegionRoom(t *testing.T, open func() cloud.RegionStore) {
	s := open()
	furnish(t, s)
	hostsAre(t, s, "at first", "left 0/8 0/16Gi []/3", "right 0/4 0/64Gi []/1")
	const a, b, c = "0000:17:00.0", "0000:65:00.0", "0000:ca:00.0"
	huge := cloud.InstanceType{Name: "huge", CPU: 1, Memory: 13 << 30}
	m1 := placed(501, large, "left", "10.0.0.1", b, a)
	for _, step := range []struct {
		what    string
		put     cloud.Machine
		refusal string // "" for none
		want    []string
	}{
		{"a machine without a place", idle(501, large), "", []string{"left 0/8 0/16Gi []/3", "right 0/4 0/64Gi []/1"}},
		{"placed", m1, "", []string{"left 4/8 4Gi/16Gi [" + a + " " + b + "]/3", "right 0/4 0/64Gi []/1"}},
		{"placed again", m1, "", []string{"left 4/8 4Gi/16Gi [" + a + " " + b + "]/3", "right 0/4 0/64Gi []/1"}},
		{
			"another that needs its GPU", placed(502, large, "left", "10.0.0.2", c, a), "no free GPU at " + a,
			[]string{"left 4/8 4Gi/16Gi [" + a + " " + b + "]/3", "right 0/4 0/64Gi []/1"},
		},
		{
			"another with its address", placed(502, small, "left", "10.0.0.1", c), "address 10.0.0.1",
			[]string{"left 4/8 4Gi/16Gi [" + a + " " + b + "]/3", "right 0/4 0/64Gi []/1"},
		},
		{
			"another with its address and no place", changed(idle(502, small), func(m *cloud.Machine) { m.IP = "10.0.0.1" }), "address 10.0.0.1",
			[]string{"left 4/8 4Gi/16Gi [" + a + " " + b + "]/3", "right 0/4 0/64Gi []/1"},
		},
		{
			"a GPU that is not there", placed(502, small, "right", "10.0.0.2", b), "no free GPU at " + b,
			[]string{"left 4/8 4Gi/16Gi [" + a + " " + b + "]/3", "right 0/4 0/64Gi []/1"},
		},
		{
			"one GPU twice", placed(502, small, "right", "10.0.0.2", a, a), "no free GPU at " + a,
			[]string{"left 4/8 4Gi/16Gi [" + a + " " + b + "]/3", "right 0/4 0/64Gi []/1"},
		},
		{
			"too much memory", placed(502, huge, "left", "10.0.0.2"), "left has not enough room",
			[]string{"left 4/8 4Gi/16Gi [" + a + " " + b + "]/3", "right 0/4 0/64Gi []/1"},
		},
		{
			"no such host", placed(502, small, "middle", "10.0.0.2"), "middle has not enough room",
			[]string{"left 4/8 4Gi/16Gi [" + a + " " + b + "]/3", "right 0/4 0/64Gi []/1"},
		},
		{
			"the other host's equal address", placed(502, large, "right", "10.0.0.2", a), "",
			[]string{"left 4/8 4Gi/16Gi [" + a + " " + b + "]/3", "right 4/4 4Gi/64Gi [" + a + "]/1"},
		},
		{
			"too many processors", placed(503, small, "right", "10.0.0.3"), "right has not enough room",
			[]string{"left 4/8 4Gi/16Gi [" + a + " " + b + "]/3", "right 4/4 4Gi/64Gi [" + a + "]/1"},
		},
		{
			"the last processors", placed(503, large, "left", "10.0.0.3"), "",
			[]string{"left 8/8 8Gi/16Gi [" + a + " " + b + "]/3", "right 4/4 4Gi/64Gi [" + a + "]/1"},
		},
		{
			"one GPU less, when nothing is free", placed(501, large, "left", "10.0.0.1", b), "",
			[]string{"left 8/8 8Gi/16Gi [" + b + "]/3", "right 4/4 4Gi/64Gi [" + a + "]/1"},
		},
		{
			"another GPU instead", placed(501, large, "left", "10.0.0.1", c), "",
			[]string{"left 8/8 8Gi/16Gi [" + c + "]/3", "right 4/4 4Gi/64Gi [" + a + "]/1"},
		},
		{
			"more than there is of the same", placed(501, cloud.InstanceType{CPU: 5, Memory: 4 << 30}, "left", "10.0.0.1", c), "left has not enough room",
			[]string{"left 8/8 8Gi/16Gi [" + c + "]/3", "right 4/4 4Gi/64Gi [" + a + "]/1"},
		},
		{
			"a move to where there is no room", placed(503, large, "right", "10.0.0.3"), "right has not enough room",
			[]string{"left 8/8 8Gi/16Gi [" + c + "]/3", "right 4/4 4Gi/64Gi [" + a + "]/1"},
		},
		{
			"turned off", changed(placed(502, large, "right", "10.0.0.2", a), func(m *cloud.Machine) { m.Placed = false }), "",
			[]string{"left 8/8 8Gi/16Gi [" + c + "]/3", "right 0/4 0/64Gi []/1"},
		},
		{
			"the address of one that is off", placed(504, small, "right", "10.0.0.2"), "address 10.0.0.2",
			[]string{"left 8/8 8Gi/16Gi [" + c + "]/3", "right 0/4 0/64Gi []/1"},
		},
		{
			"a move", placed(501, large, "right", "10.0.0.1", a), "",
			[]string{"left 4/8 4Gi/16Gi []/3", "right 4/4 4Gi/64Gi [" + a + "]/1"},
		},
		{
			"a move to a GPU of the same address", placed(501, large, "left", "10.0.0.1", a), "",
			[]string{"left 8/8 8Gi/16Gi [" + a + "]/3", "right 0/4 0/64Gi []/1"},
		},
	} {
		change(t, s, func(w cloud.RegionWriter) error {
			want, _ := w.Machine(step.put.ID) // the zero one before the first
			err := w.PutMachine(step.put)
			if step.refusal == "" {
				want = step.put
				equal(t, step.what, err, nil)
			} else {
				wantCode(t, err, cloud.CodeConflict, step.refusal)
			}
			got, _ := w.Machine(step.put.ID)
			equal(t, "the machine after "+step.what, got, want)
			return nil
		})
		hostsAre(t, s, "after "+step.what, step.want...)
	}
	equal(t, "the addresses", see(t, s, cloud.RegionReader.Addresses), []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"})

	change(t, s, func(w cloud.RegionWriter) error { return first(w.DeleteMachine(id(501)), w.DeleteMachine(id(502))) })
	hostsAre(t, s, "after two deletions", "left 4/8 4Gi/16Gi []/3", "right 0/4 0/64Gi []/1")
	equal(t, "the addresses after two deletions", see(t, s, cloud.RegionReader.Addresses), []string{"10.0.0.3"})
	place(t, s, placed(505, large, "right", "10.0.0.1", a))
	hostsAre(t, s, "after what was given back is taken", "left 4/8 4Gi/16Gi []/3", "right 4/4 4Gi/64Gi ["+a+"]/1")
}

func testRegionHosts(t *testing.T, open func() cloud.RegionStore) {
	s := open()
	equal(t, "the hosts of a new database", len(see(t, s, cloud.RegionReader.Hosts)), 0)
	furnish(t, s)
	equal(t, "the hosts", see(t, s, cloud.RegionReader.Hosts), []cloud.HostUse{{Host: left}, {Host: right}})
	const a, b = "0000:17:00.0", "0000:65:00.0"
	m := placed(501, large, "left", "10.0.0.1", a, b)
	place(t, s, m, placed(502, small, "left", "10.0.0.2"))

	set := func(hosts ...cloud.Host) {
		t.Helper()
		change(t, s, func(w cloud.RegionWriter) error { return w.SetHosts(hosts) })
	}
	shrunken := cloud.Host{Name: "left", CPU: 4, Memory: 1 << 30, GPUs: left.GPUs[:1]}
	set(shrunken)
	hostsAre(t, s, "after one has shrunk and one has gone", "left 6/4 8Gi/1Gi ["+a+" "+b+"]/1")
	m.Reason = "it is looked at"
	place(t, s, m)
	hostsAre(t, s, "after a machine on it changed", "left 6/4 8Gi/1Gi ["+a+" "+b+"]/1")
	denied(t, s, cloud.CodeConflict, "left has not enough room", func(w cloud.RegionWriter) error {
		return w.PutMachine(placed(503, small, "left", ""))
	})

	m.GPUs = []string{a}
	place(t, s, m)
	hostsAre(t, s, "after the GPU that is gone was given back", "left 6/4 8Gi/1Gi ["+a+"]/1")
	denied(t, s, cloud.CodeConflict, "no free GPU at "+b, func(w cloud.RegionWriter) error {
		return w.PutMachine(changed(m, func(m *cloud.Machine) { m.GPUs = []string{a, b} }))
	})

	set(right)
	hostsAre(t, s, "after the one in use has gone", "left 6/0 8Gi/0 ["+a+"]/0", "right 0/4 0/64Gi []/1")
	change(t, s, func(w cloud.RegionWriter) error { return w.DeleteMachine(m.ID) })
	hostsAre(t, s, "while something is on it", "left 2/0 4Gi/0 []/0", "right 0/4 0/64Gi []/1")
	set(left, right)
	hostsAre(t, s, "after it came back", "left 2/8 4Gi/16Gi []/3", "right 0/4 0/64Gi []/1")
	set(right)
	place(t, s, changed(placed(502, small, "left", "10.0.0.2"), func(m *cloud.Machine) { m.Placed = false }))
	hostsAre(t, s, "after the last was given back", "right 0/4 0/64Gi []/1")
	set()
	hostsAre(t, s, "without any")
}

func testRegionQuota(t *testing.T, open func() cloud.RegionStore) {
	s := open()
	for _, step := range []struct {
		what      string
		owner     cloud.ID
		typeName  string
		add, most int64
		refused   bool
	}{
		{"none where none may be", acme.ID, "small", 1, 0, true},
		{"more at once than may be", acme.ID, "small", 3, 2, true},
		{"as many as may be", acme.ID, "small", 2, 2, false},
		{"one more", acme.ID, "small", 1, 2, true},
		{"one of another type", acme.ID, "large", 1, 1, false},
		{"one of another organization", beta.ID, "small", 1, 1, false},
		{"one given back after the limit was lowered", acme.ID, "small", -1, 0, false},
		{"one more under the lower limit", acme.ID, "small", 1, 1, true},
		{"one more after it was raised", acme.ID, "small", 1, 2, false},
		{"more given back than there are", acme.ID, "small", -3, 2, true},
		{"all given back", acme.ID, "small", -2, 2, false},
		{"all anew", acme.ID, "small", 2, 2, false},
	} {
		change(t, s, func(w cloud.RegionWriter) error {
			err := w.CountInstances(step.owner, step.typeName, step.add, step.most)
			if step.refused {
				wantCode(t, err, cloud.CodeConflict, step.typeName)
			} else if err != nil {
				t.Errorf("%s: %v", step.what, err)
			}
			return nil
		})
	}
}

// A transaction that fails leaves nothing taken or counted.
func testRegionMachinesFail(t *testing.T, open func() cloud.RegionStore) {
	s := open()
	furnish(t, s)
	kept := placed(501, large, "left", "10.0.0.1", "0000:17:00.0")
	span := cloud.Span{ID: id(701), MachineID: kept.ID, From: now}
	place(t, s, kept)
	boom := errors.New("boom")
	err := s.Write(t.Context(), func(w cloud.RegionWriter) error {
		return first(
			w.CountInstances(acme.ID, "small", 1, 1),
			w.PutMachine(placed(502, small, "left", "10.0.0.2", "0000:65:00.0")),
			w.DeleteMachine(kept.ID), w.PutSpan(span), w.SetHosts(nil),
			w.PutProject(south), w.PutFilesystem(cloud.Filesystem{ID: id(601), ProjectID: south.ID}),
			boom,
		)
	})
	if !errors.Is(err, boom) {
		t.Fatalf("Write returned %v; want the closure's error", err)
	}
	hostsAre(t, s, "after a failure", "left 4/8 4Gi/16Gi [0000:17:00.0]/3", "right 0/4 0/64Gi []/1")
	equal(t, "the machines after a failure", see(t, s, of(cloud.RegionReader.Machines, north.ID)), []cloud.Machine{kept})
	equal(t, "the addresses after a failure", see(t, s, cloud.RegionReader.Addresses), []string{"10.0.0.1"})
	equal(t, "the projects after a failure", see(t, s, of(cloud.RegionReader.Projects, acme.ID)), []cloud.Project{north})
	equal(t, "the filesystems after a failure", len(see(t, s, cloud.RegionReader.AllFilesystems)), 0)
	equal(t, "the usage after a failure", len(see(t, s, of(cloud.RegionReader.Spans, kept.ID))), 0)
	change(t, s, func(w cloud.RegionWriter) error { return w.CountInstances(acme.ID, "small", 1, 1) })
}

// testRegionRace has many ask for more than there is, through two openings of
// one database. Each transaction decides by what it reads, as a region does, and
// none finds afterwards that another one was quicker.
func testRegionRace(t *testing.T, open func() cloud.RegionStore) {
	stores := []cloud.RegionStore{open(), open()}
	furnish(t, stores[0])
	const many, quota = 32, 5
	full := cloud.Conflict("no host has room")
	outcomes := make([]error, many)
	var all sync.WaitGroup
	for n := range outcomes {
		all.Go(func() {
			outcomes[n] = stores[n%len(stores)].Write(t.Context(), func(w cloud.RegionWriter) error {
				hosts, err := w.Hosts()
				if err != nil {
					return err
				}
				addresses, err := w.Addresses()
				if err != nil {
					return err
				}
				for _, h := range hosts {
					if h.Fits(small) > 0 {
						m := placed(500+n, small, h.Name, fmt.Sprintf("10.0.0.%d", len(addresses)+1))
						if free := h.FreeGPUs("H100"); len(free) > 0 {
							m.GPUs = free[:1]
						}
						return first(w.PutMachine(m), w.CountInstances(acme.ID, "small", 1, quota))
					}
				}
				return full
			})
		})
	}
	all.Wait()
	succeeded := 0
	for _, err := range outcomes {
		switch {
		case err == nil:
			succeeded++
		case !strings.Contains(err.Error(), "more than 5 instances"):
			t.Errorf("a write failed with %v; want the limit as the only reason", err)
		}
	}
	equal(t, "the number of machines that were placed", succeeded, quota)
	hostsAre(t, stores[0], "after the race", "left 8/8 16Gi/16Gi [0000:17:00.0 0000:65:00.0]/3", "right 2/4 4Gi/64Gi [0000:17:00.0]/1")
	equal(t, "the addresses", see(t, stores[1], cloud.RegionReader.Addresses), []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"})
}

// testRegionRaceBlind has many take one host without a look: the database lets
// through as many as fit.
func testRegionRaceBlind(t *testing.T, open func() cloud.RegionStore) {
	stores := []cloud.RegionStore{open(), open()}
	furnish(t, stores[0])
	outcomes := make([]error, 16)
	var all sync.WaitGroup
	for n := range outcomes {
		all.Go(func() {
			outcomes[n] = stores[n%len(stores)].Write(t.Context(), func(w cloud.RegionWriter) error {
				return w.PutMachine(placed(500+n, small, "left", ""))
			})
		})
	}
	all.Wait()
	succeeded := 0
	for _, err := range outcomes {
		if err == nil {
			succeeded++
			continue
		}
		wantCode(t, err, cloud.CodeConflict, "left has not enough room")
	}
	equal(t, "the number of machines that were placed", succeeded, 4)
	hostsAre(t, stores[0], "after the race", "left 8/8 16Gi/16Gi []/3", "right 0/4 0/64Gi []/1")
}
