package showcase

import (
	"container/heap"
	"context"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// How long things take. A passing state needs attention after 15 minutes, and
// a source is stale after 90 s (clusters) or 3 minutes (instances) and given
// up after 10; so a hang and a silence last long enough to be seen as what
// they are, and no silence so long that its instances count as lost.
var (
	lasting = map[cloud.InstanceState]span{
		cloud.InstanceCreating:   {3 * time.Second, 8 * time.Second},
		cloud.InstanceStarting:   {2 * time.Second, 6 * time.Second},
		cloud.InstanceStopping:   {2 * time.Second, 5 * time.Second},
		cloud.InstanceDeleting:   {2 * time.Second, 5 * time.Second},
		cloud.InstanceOutOfStock: {45 * time.Second, 3 * time.Minute},
		cloud.InstanceError:      {time.Minute, 4 * time.Minute},
	}
	faultLasts   = span{time.Minute, 5 * time.Minute}
	hangLasts    = span{16 * time.Minute, 25 * time.Minute}
	silenceLasts = span{4 * time.Minute, 8 * time.Minute}
	outageLasts  = span{time.Minute, 4 * time.Minute}

	firstSilence = span{2 * time.Minute, 4 * time.Minute}
	nextSilence  = span{8 * time.Minute, 15 * time.Minute}
	firstOutage  = span{time.Minute, 3 * time.Minute}
	nextOutage   = span{5 * time.Minute, 10 * time.Minute}
)

// budget bounds how many machines may be in trouble at once.
func (s *simulation) budget() int { return (len(s.machines) + 11) / 12 }

type eventKind int

const (
	eventBeat     eventKind = iota // everybody who lives is heard
	eventChange                    // a new story begins
	eventStep                      // a machine leaves its state; index is its slot
	eventSilence                   // a host falls silent
	eventOutage                    // a cluster's API goes away
	eventRecovery                  // and comes back; index is the cluster
)

// event is something that will happen.
type event struct {
	at    time.Time
	order uint64 // of scheduling, so that equal times have an order
	kind  eventKind
	index int
}

func (s *simulation) happen(ctx context.Context, e event) error {
	switch e.kind {
	case eventBeat:
		err := s.beat()
		s.queue.push(event{at: s.nextBeat, kind: eventBeat})
		return err
	case eventChange:
		s.queue.push(event{at: s.Now().Add(s.pause()), kind: eventChange})
		return s.change(ctx)
	case eventStep:
		return s.step(ctx, e.index)
	case eventSilence:
		h := &s.hosts[s.rand.IntN(len(s.hosts))]
		h.silentUntil = s.Now().Add(s.between(silenceLasts))
		s.queue.push(event{at: h.silentUntil.Add(s.between(nextSilence)), kind: eventSilence})
		return nil
	case eventOutage:
		back := s.takeDown(s.rand.IntN(len(s.clusters)))
		s.queue.push(event{at: back.at.Add(s.between(nextOutage)), kind: eventOutage})
		return s.observeCluster(ctx, s.clusters[back.index])
	case eventRecovery:
		s.clusters[e.index].Down = false
		return s.observeCluster(ctx, s.clusters[e.index])
	}
	return nil
}

// takeDown makes a cluster's API go away, and come back later.
func (s *simulation) takeDown(index int) (back event) {
	s.clusters[index].Down = true
	back = event{at: s.Now().Add(s.between(outageLasts)), kind: eventRecovery, index: index}
	s.queue.push(back)
	return back
}

// change begins a story with a machine that is settled, if chance finds one.
func (s *simulation) change(ctx context.Context) error {
	chance := s.rand.IntN(1000)
	mayTrouble := s.troubled < s.budget()
	switch {
	case mayTrouble && chance < 40:
		return s.begin(ctx, s.running, condition{state: cloud.InstanceRunning, fault: faults[s.rand.IntN(len(faults))]})
	case mayTrouble && chance < 60:
		return s.begin(ctx, s.running, condition{state: cloud.InstanceError, fault: failures[s.rand.IntN(len(failures))]})
	case mayTrouble && chance < 65 && s.hanging == 0:
		return s.begin(ctx, s.running, condition{state: cloud.InstanceStopping, hangs: true})
	case chance < 240:
		return s.begin(ctx, s.running, condition{state: cloud.InstanceDeleting})
	case len(s.stopped) > 0 && (chance < 620 || len(s.stopped) > len(s.machines)/4):
		return s.begin(ctx, s.stopped, condition{state: cloud.InstanceStarting})
	default:
		return s.begin(ctx, s.running, condition{state: cloud.InstanceStopping})
	}
}

// begin brings a machine of the pool, whose host speaks, into a condition.
func (s *simulation) begin(ctx context.Context, p pool, c condition) error {
	if len(p) == 0 {
		return nil
	}
	slot := int(p[s.rand.IntN(len(p))])
	m := &s.machines[slot]
	if s.silent(m.host) {
		return nil
	}
	if m.job.ephemeral && c.state == cloud.InstanceStopping {
		c = condition{state: cloud.InstanceDeleting} // it lives only once
	}
	return s.enter(ctx, slot, c)
}

// step leads a machine out of the state that it is in.
func (s *simulation) step(ctx context.Context, slot int) error {
	m := &s.machines[slot]
	if s.silent(m.host) {
		// What happens on a silent host is seen when it speaks again.
		s.queue.push(event{at: s.hosts[m.host].silentUntil.Add(s.between(lasting[cloud.InstanceStarting])), kind: eventStep, index: slot})
		return nil
	}
	switch m.state {
	case cloud.InstanceCreating:
		if s.troubled < s.budget() && s.rand.IntN(10) == 0 {
			return s.enter(ctx, slot, condition{state: cloud.InstanceOutOfStock})
		}
		return s.enter(ctx, slot, condition{state: cloud.InstanceStarting})
	case cloud.InstanceOutOfStock, cloud.InstanceError:
		return s.enter(ctx, slot, condition{state: cloud.InstanceStarting})
	case cloud.InstanceStarting, cloud.InstanceRunning:
		return s.enter(ctx, slot, condition{state: cloud.InstanceRunning})
	case cloud.InstanceStopping, cloud.InstanceStopped:
		return s.enter(ctx, slot, condition{state: cloud.InstanceStopped})
	case cloud.InstanceDeleting:
		return s.replace(ctx, slot)
	}
	return nil
}

// replace ends a machine, and another one takes its place in the fleet.
func (s *simulation) replace(ctx context.Context, slot int) error {
	old := s.machines[slot]
	err := s.sink.Observe(ctx, engine.Batch{Source: hostName(old.host), Gone: []cloud.ObjectKey{old.key()}})
	if err != nil {
		return err
	}
	s.unsettle(slot)
	s.machines[slot] = s.fresh(s.speakingHost())
	s.settle(slot)
	return s.observe(ctx, slot)
}

// enter brings a machine into a condition.
func (s *simulation) enter(ctx context.Context, slot int, c condition) error {
	s.unsettle(slot)
	s.machines[slot].condition = c
	s.settle(slot)
	return s.observe(ctx, slot)
}

func (s *simulation) observe(ctx context.Context, slot int) error {
	m := &s.machines[slot]
	return s.sink.Observe(ctx, engine.Batch{Source: hostName(m.host), Instances: []engine.Instance{m.instance(slot)}})
}

// pool returns the one in which the machine waits for a story, or nil if it
// is in one.
func (s *simulation) pool(slot int) *pool {
	switch m := &s.machines[slot]; {
	case m.fault != "":
		return nil
	case m.state == cloud.InstanceRunning:
		return &s.running
	case m.state == cloud.InstanceStopped:
		return &s.stopped
	}
	return nil
}

// settle files a machine by its state: under those that wait for a story, or
// under what happens next.
func (s *simulation) settle(slot int) {
	if s.machines[slot].inTrouble() {
		s.troubled++
	}
	if s.machines[slot].hangs {
		s.hanging++
	}
	if p := s.pool(slot); p != nil {
		p.add(s.machines, slot)
		return
	}
	m := &s.machines[slot]
	last := lasting[m.state]
	switch {
	case m.hangs:
		last = hangLasts
	case m.state == cloud.InstanceRunning || m.state == cloud.InstanceStopped:
		last = faultLasts
	}
	s.queue.push(event{at: s.Now().Add(s.between(last)), kind: eventStep, index: slot})
}

// unsettle takes a machine out of where settle filed it. A step that was
// scheduled for it has just happened.
func (s *simulation) unsettle(slot int) {
	if p := s.pool(slot); p != nil {
		p.remove(s.machines, slot)
	}
	if s.machines[slot].inTrouble() {
		s.troubled--
	}
	if s.machines[slot].hangs {
		s.hanging--
	}
}

// queue holds what will happen, soonest first.
type queue struct {
	events []event
	order  uint64
}

func (q *queue) push(e event) {
	q.order++
	e.order = q.order
	heap.Push((*eventHeap)(&q.events), e)
}

func (q *queue) pop() event      { return heap.Pop((*eventHeap)(&q.events)).(event) }
func (q *queue) next() time.Time { return q.events[0].at }

// eventHeap implements heap.Interface.
type eventHeap []event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	if !h[i].at.Equal(h[j].at) {
		return h[i].at.Before(h[j].at)
	}
	return h[i].order < h[j].order
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(e any)   { *h = append(*h, e.(event)) }
func (h *eventHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	*h = (*h)[:last]
	return e
}
