package region

import (
	"context"
	"slices"
	"sync"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// waiting is who waits for room.
type waiting struct {
	mu sync.Mutex
	of map[cloud.ID]cloud.Machine
}

func newWaiting() *waiting { return &waiting{of: map[cloud.ID]cloud.Machine{}} }

func (w *waiting) put(m cloud.Machine) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.of[m.ID] = m
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

// fitting lists those for whom there is room now, the oldest first.
func (w *waiting) fitting(hosts []cloud.HostUse) (ids []cloud.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	queue := make([]cloud.Machine, 0, len(w.of))
	for _, m := range w.of {
		queue = append(queue, m)
	}
	slices.SortFunc(queue, byAge)
	for _, m := range queue {
		if occupy(hosts, m.Type, m.Host) {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

func byAge(a, b cloud.Machine) int {
	if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
		return c
	}
	return slices.Compare([]byte(a.ID), []byte(b.ID))
}

// vacated wakes who waits for room that there is now.
func (r *Reconciler) vacated(ctx context.Context) {
	var hosts []cloud.HostUse
	err := r.Region.Read(ctx, func(tx cloud.RegionReader) (err error) {
		hosts, err = tx.Hosts()
		return err
	})
	if err != nil {
		return // the next survey looks again
	}
	for _, id := range r.waiting.fitting(hosts) {
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
		free, err := r.addresses.take()
		if err != nil {
			return err
		}
		address = free.String()
	}
	var decided placement
	err = r.Region.change(ctx, func(c *change) (err error) {
		decided, err = c.place(id, address)
		return err
	})
	if m.IP == "" && (err != nil || decided.host == "") {
		r.addresses.free(address)
	}
	if err != nil {
		return err
	}
	if decided.host != "" {
		r.waiting.remove(id)
		return nil
	}
	r.waiting.put(m)
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
	hosts, err := c.Hosts()
	if err != nil {
		return placement{}, err
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
	m.Host, m.Placed, m.GPUs, m.IP, m.Reason = decided.host, true, decided.gpus, address, ""
	if m.State == cloud.InstanceOutOfStock {
		m.State = cloud.InstanceStarting
	}
	return decided, c.put(m)
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
