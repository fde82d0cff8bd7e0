package region

import (
	"context"
	"sync"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// agenda is what there is to do: machines, each at most once, and never by two
// at a time. It also knows since when nobody worked on a machine, so that what
// was seen of it before is not taken for what came of that.
type agenda struct {
	mu     sync.Mutex
	queue  []cloud.ID
	items  map[cloud.ID]*item // of machines that are queued, worked on, or failed last
	ready  chan struct{}      // holds one while the queue is not empty
	moment uint64
	worked map[cloud.ID]uint64 // the moment at which the work on a machine ended
}

type item struct {
	queued, busy bool
	again        bool   // it was added while it was worked on
	cancel       func() // ends what is being done; nil if that must not be
	failures     int    // in a row
}

func newAgenda() *agenda {
	return &agenda{items: map[cloud.ID]*item{}, ready: make(chan struct{}, 1), worked: map[cloud.ID]uint64{}}
}

func (a *agenda) add(id cloud.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := a.item(id)
	switch {
	case i.busy:
		i.again = true
	case !i.queued:
		i.queued = true
		a.queue = append(a.queue, id)
		a.signal()
	}
}

func (a *agenda) item(id cloud.ID) *item {
	i := a.items[id]
	if i == nil {
		i = &item{}
		a.items[id] = i
	}
	return i
}

func (a *agenda) signal() {
	select {
	case a.ready <- struct{}{}:
	default:
	}
}

// take waits for a machine that is to be worked on, which done ends.
func (a *agenda) take(ctx context.Context) (cloud.ID, error) {
	for {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-a.ready:
		}
		a.mu.Lock()
		id, ok := a.pop()
		if len(a.queue) > 0 {
			a.signal()
		}
		a.mu.Unlock()
		if ok {
			return id, nil
		}
	}
}

func (a *agenda) pop() (cloud.ID, bool) {
	if len(a.queue) == 0 {
		return "", false
	}
	id := a.queue[0]
	a.queue = a.queue[1:]
	i := a.item(id)
	i.queued, i.busy = false, true
	return id, true
}

// interruptible says how to end what is being done for a machine.
func (a *agenda) interruptible(id cloud.ID, cancel func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.item(id).cancel = cancel
}

// interrupt ends it, if it may be ended.
func (a *agenda) interrupt(id cloud.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i := a.items[id]; i != nil && i.cancel != nil {
		i.cancel()
	}
}

// done ends the work on a machine, with which it is to go on at once if it was
// added meanwhile, or if more is to do.
func (a *agenda) done(id cloud.ID, more bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := a.item(id)
	more = more || i.again
	i.busy, i.again, i.cancel = false, false, nil
	a.worked[id] = a.moment
	switch {
	case more && !i.queued:
		i.queued = true
		a.queue = append(a.queue, id)
		a.signal()
	case !more && i.failures == 0:
		delete(a.items, id)
	}
}

// failed counts a failure and returns how many there were in a row; succeeded
// forgets them.
func (a *agenda) failed(id cloud.ID) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := a.item(id)
	i.failures++
	return i.failures
}

func (a *agenda) succeeded(id cloud.ID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.item(id).failures = 0
}

// mark returns a moment for claim, and forgets who was worked on before the
// one before.
func (a *agenda) mark() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.moment++
	for id, at := range a.worked {
		if at+1 < a.moment {
			delete(a.worked, id)
		}
	}
	return a.moment
}

// claim takes a machine off the queue for whoever saw it since the mark, unless
// it is or was being worked on since then. done ends that too.
func (a *agenda) claim(id cloud.ID, mark uint64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i := a.items[id]; i != nil && (i.busy || i.queued) {
		return false
	}
	if at, ok := a.worked[id]; ok && at >= mark {
		return false
	}
	a.item(id).busy = true
	return true
}

const (
	leastBackoff = time.Second
	mostBackoff  = 30 * time.Second
)

// backoff is how long to wait after so many failures in a row.
func backoff(failures int) time.Duration {
	return min(leastBackoff<<min(failures-1, 10), mostBackoff)
}
