package simulated

import (
	"context"
	"sync"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// turns lets one order at a time have a machine.
type turns struct {
	mu    *sync.Mutex
	taken map[cloud.ID]*turn
}

// turn is that of one machine, for as long as anybody has or wants it.
type turn struct {
	free   chan struct{} // holds one while nobody has it
	wanted int
}

func newTurns() turns { return turns{mu: new(sync.Mutex), taken: make(map[cloud.ID]*turn)} }

// take waits for the machine, and ctx's error if that ends before.
func (t turns) take(ctx context.Context, id cloud.ID) (release func(), err error) {
	mine := t.want(id)
	select {
	case <-ctx.Done():
		t.leave(id, mine)
		return nil, ctx.Err()
	case <-mine.free:
		return func() {
			mine.free <- struct{}{}
			t.leave(id, mine)
		}, nil
	}
}

func (t turns) want(id cloud.ID) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	mine, found := t.taken[id]
	if !found {
		mine = &turn{free: make(chan struct{}, 1)}
		mine.free <- struct{}{}
		t.taken[id] = mine
	}
	mine.wanted++
	return mine
}

func (t turns) leave(id cloud.ID, mine *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	mine.wanted--
	if mine.wanted == 0 {
		delete(t.taken, id)
	}
}
