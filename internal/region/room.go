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
	told    bool // that there is none; before that, it only tries
}

func newWaiting() *waiting { return &waiting{of: map[cloud.ID]waiter{}} }

// tries notes a machine that looks for room, so that who makes some meanwhile
// does not miss it.
func (w *waiting) tries(m cloud.Machine) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.of[m.ID] = waiter{Machine: m, expects: true, told: w.of[m.ID].told}
}

func (w *waiting) put(who waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.of[who.ID] = who
}

// remove reports whether others made way for it.
func (w *waiting) remove(id cloud.ID) (told bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	told = w.of[id].told
	delete(w.of, id)
	return told
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
	seated := crowd{}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range slices.SortedFunc(maps.Values(w.of), precedence) {
		alike := seated[m.kind()]
		fits := seated.seat(hosts, m)
		if fits || m.expects || !m.Preemptible && !alike {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// kind is what those have in common of whom either all find room or none.
type kind struct {
	cloud.InstanceType
	host string // "" for any
}

func (w waiter) kind() kind { return kind{w.Type, w.Host} }

// crowd seats one waiter after the other, and remembers the kinds for which
// there is no room any more.
type crowd map[kind]bool

func (c crowd) seat(hosts []cloud.HostUse, w waiter) bool {
	k := w.kind()
	fits := !c[k] && occupy(hosts, w.Type, w.Host)
	c[k] = !fits
	return fits
}

// before lists those who wait for room and come before a machine, in order.
func (w *waiting) before(m cloud.Machine) (ahead []waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, other := range w.of {
		if other.told && precedence(other, waiter{Machine: m}) < 0 {
			ahead = append(ahead, other)
		}
	}
	slices.SortFunc(ahead, precedence)
	return ahead
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
	r.waiting.tries(m)
	ahead := r.waiting.before(m)
	var decided placement
	err = r.Region.change(ctx, func(c *change) (err error) {
		decided, err = c.place(id, address, ahead)
		return err
	})
	if m.IP == "" && address != "" && (err != nil || decided.host == "") {
		r.addresses.free(address)
	}
	if err != nil {
		return err
	}
	if decided.host != "" {
		if told := r.waiting.remove(id); told {
			r.vacated(ctx) // who made way for it may have found too little room
		}
		return nil
	}
	r.waiting.put(waiter{
		Machine: m,
		expects: decided.waits || len(decided.victims) > 0,
		told:    address != "", // who lacks that only has no claim to a host
	})
	for _, v := range decided.victims {
		r.Wake(v.ID)
	}
	return nil
}

// place leaves to those ahead what they find room in.
func (c *change) place(id cloud.ID, address string, ahead []waiter) (placement, error) {
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
	if len(ahead) == 0 {
		known := c.rooms.place(m)
		if known.host != "" {
			err := c.put(placed(m, known, address))
			if cloud.CodeOf(err) != cloud.CodeConflict {
				return known, err
			}
			// It is not as it was remembered, or the address is another's.
		}
	}
	hosts, err := c.Hosts()
	if err != nil {
		return placement{}, err
	}
	if c.alone {
		c.rooms.set(hosts)
	}
	hosts = slices.Clone(hosts)
	claimed := crowd{}
	for _, w := range ahead {
		claimed.seat(hosts, w)
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
