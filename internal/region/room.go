package region

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// waiting is who waits for room.
type waiting struct {
	mu sync.Mutex
	of map[cloud.ID]waiter
}

type waiter struct {
	cloud.Machine
	expects bool // somebody is about to make room for it
}

func newWaiting() *waiting { return &waiting{of: map[cloud.ID]waiter{}} }

func (w *waiting) put(m cloud.Machine, expects bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.of[m.ID] = waiter{m, expects}
}

func (w *waiting) remove(id cloud.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.of, id)
}

func (w *waiting) has(id cloud.ID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, ok := w.of[id]
	return ok
}

func (w *waiting) nobody() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.of) == 0
}

// hopeful lists those who should try again, now that there is room, in the order
// of who comes first: who fits; who expected to and now does not; and of those
// who may displace others the first of each kind, who may now have few enough to
// displace.
func (w *waiting) hopeful(hosts []cloud.HostUse) (ids []cloud.ID) {
	type kind struct {
		cloud.InstanceType
		host string
	}
	tried := map[kind]bool{}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range slices.SortedFunc(maps.Values(w.of), precedence) {
		fits := occupy(hosts, m.Type, m.Host)
		k := kind{m.Type, m.Host}
		if fits || m.expects || !m.Preemptible && !tried[k] {
			ids = append(ids, m.ID)
		}
		tried[k] = tried[k] || !fits
	}
	return ids
}

// precedence puts those first who are not preemptible, and who have waited for
// longest.
func precedence(a, b waiter) int {
	switch {
	case a.Preemptible != b.Preemptible && b.Preemptible:
		return -1
	case a.Preemptible != b.Preemptible:
		return 1
	}
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
}

// vacated wakes who waited for the room that there is now.
func (r *Reconciler) vacated(ctx context.Context) {
	if r.waiting.nobody() {
		return // who comes later finds the room by itself
	}
	var hosts []cloud.HostUse
	err := r.Region.Read(ctx, func(tx cloud.RegionReader) (err error) {
		hosts, err = tx.Hosts()
		return err
	})
	if err != nil {
		return // the next survey looks again
	}
	for _, id := range r.waiting.hopeful(hosts) {
		r.Wake(id)
	}
}

// place gives a machine its share of a host and its address; or, where there is
// no room, has others make it, and the machine wait.
func (r *Reconciler) place(ctx context.Context, id cloud.ID) error {
	m, err := r.machine(ctx, id)
	if err != nil {
		return err
	}
	address := m.IP
	if address == "" {
		if free, ok := r.addresses.take(); ok {
			address = free.String()
		}
	}
	r.waiting.put(m, true) // so that who makes room meanwhile does not miss it
	var decided placement
	err = r.Region.change(ctx, func(c *change) (err error) {
		decided, err = c.place(id, address)
		return err
	})
	if m.IP == "" && address != "" && (err != nil || decided.host == "") {
		r.addresses.free(address)
	}
	if err != nil {
		return err
	}
	if decided.host != "" {
		r.waiting.remove(id)
		return nil
	}
	r.waiting.put(m, decided.waits || len(decided.victims) > 0)
	for _, v := range decided.victims {
		r.Wake(v.ID)
	}
	return nil
}

func (c *change) place(id cloud.ID, address string) (placement, error) {
	m, err := c.Machine(id)
	if err != nil {
		return placement{}, err
	}
	if nextStep(m) != stepPlace { // its tenant has thought otherwise
		return placement{host: m.Host}, nil
	}
	if address == "" {
		m.State, m.Reason = cloud.InstanceOutOfStock, "the region has no address left now; it starts when one is free"
		return placement{}, c.put(m)
	}
	known := c.rooms.place(m)
	if known.host != "" {
		err := c.put(placed(m, known, address))
		if cloud.CodeOf(err) != cloud.CodeConflict {
			return known, err
		}
		// It is not as it was remembered, or the address is another's.
	}
	hosts, err := c.Hosts()
	if err != nil {
		return placement{}, err
	}
	if c.alone {
		c.rooms.set(hosts)
	}
	yielding, err := c.YieldingMachines()
	if err != nil {
		return placement{}, err
	}
	preemptible, leaving := partition(yielding, func(m cloud.Machine) bool { return m.Goal == cloud.GoalRunning })
	decided := place(m, hosts, preemptible, leaving)
	for _, v := range decided.victims {
		if err := c.put(preempted(v)); err != nil {
			return decided, err
		}
	}
	if decided.host == "" {
		if len(decided.victims) == 0 && !decided.waits {
			m.State = cloud.InstanceOutOfStock
			m.Reason = "no host has room for the type " + m.Type.Name + " now; it starts when one has"
		}
		return decided, c.put(m)
	}
	return decided, c.put(placed(m, decided, address))
}

// placed is what a machine becomes that has a place.
func placed(m cloud.Machine, there placement, address string) cloud.Machine {
	m.Host, m.Placed, m.GPUs, m.IP, m.Reason = there.host, true, there.gpus, address, ""
	if m.State == cloud.InstanceOutOfStock {
		m.State = cloud.InstanceStarting
	}
	return m
}

func partition(machines []cloud.Machine, is func(cloud.Machine) bool) (yes, no []cloud.Machine) {
	for _, m := range machines {
		if is(m) {
			yes = append(yes, m)
		} else {
			no = append(no, m)
		}
	}
	return yes, no
}
