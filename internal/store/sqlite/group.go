package sqlite

import (
	"context"
	"errors"
	"sync"

	"github.com/penstock-cloud/penstock/internal/store/rows"
)

// mostTogether bounds how many writes are committed at once.
const mostTogether = 64

// group has writes that wait for each other committed together, since what takes
// long is to have the disk write. Each is whole by itself, as in a transaction
// of its own; one that waits for nobody is one.
type group struct {
	mu      sync.Mutex
	leading bool // somebody writes
	waiting []*member
}

// member is a write that waits for its turn.
type member struct {
	ctx  context.Context // of its caller, on whose behalf another one may run it
	fn   func(rows.DB) error
	turn chan struct{} // closed when it is to lead, or when it is done

	ended    bool // what follows is the outcome
	err      error
	panicked any
}

// write runs fn in a transaction as transact does.
func (g *group) write(ctx context.Context, p *pool, fn func(rows.DB) error) error {
	m := &member{ctx: ctx, fn: fn, turn: make(chan struct{})}
	if !g.join(m) {
		select {
		case <-m.turn:
		case <-ctx.Done():
			if g.leave(m) {
				return ctx.Err()
			}
			<-m.turn // somebody is at it
		}
	}
	if !m.ended {
		together := g.gather(m)
		defer g.pass()
		settle(p, together) //nolint:contextcheck // what it prepares outlives the caller
	}
	if m.panicked != nil {
		panic(m.panicked)
	}
	return m.err
}

// join queues a write, and reports whether it leads.
func (g *group) join(m *member) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.leading {
		g.waiting = append(g.waiting, m)
		return false
	}
	g.leading = true
	return true
}

// leave takes a write out of the queue whose caller has given up, and reports
// whether it was still there.
func (g *group) leave(m *member) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, w := range g.waiting {
		if w == m {
			g.waiting = append(g.waiting[:i:i], g.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// gather takes those who wait, to go together with the one that leads.
func (g *group) gather(leader *member) []*member {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := min(len(g.waiting), mostTogether-1)
	together := append([]*member{leader}, g.waiting[:n]...)
	g.waiting = g.waiting[n:]
	return together
}

// pass has the next one lead, if there is any.
func (g *group) pass() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		g.leading = false
		return
	}
	next := g.waiting[0]
	g.waiting = g.waiting[1:]
	close(next.turn)
}

// settle writes for all of them; the first leads, and knows itself when it is
// done. Where that fails as a whole nothing of it remains, and each is written
// by itself, so that it fails for its own reasons or not at all.
func settle(p *pool, together []*member) {
	if len(together) == 1 || !commitTogether(p, together) {
		for _, m := range together {
			if !m.ended {
				m.run(func() error { return transact(m.ctx, p, m.fn) })
				m.ended = true
			}
		}
	}
	for _, m := range together[1:] {
		close(m.turn)
	}
}

// run keeps what comes of a write, for its own caller.
func (m *member) run(do func() error) {
	defer func() {
		if m.panicked = recover(); m.panicked != nil {
			m.err = errPanicked
		}
	}()
	m.err = do()
}

var errPanicked = errors.New("a write panicked")

// commitTogether reports whether they were committed, but for those that failed
// by themselves. Otherwise none has ended.
func commitTogether(p *pool, together []*member) bool {
	ctx := context.Background() // nobody's giving up ends what is others' too
	tx, err := p.BeginTx(ctx, nil)
	if err != nil {
		return false
	}
	s := &session{pool: p, tx: tx, shared: true}
	defer s.end()
	defer tx.Rollback() //nolint:errcheck // after Commit there is nothing to roll back
	for _, m := range together {
		if !s.savepoint(ctx, m) {
			return false
		}
	}
	if err := tx.Commit(); err != nil {
		return false
	}
	for _, m := range together {
		m.ended = true
	}
	return true
}

// savepoint runs one of several writes, of which nothing remains if it fails. It
// reports whether the transaction can go on: SQLite may have given up all of it,
// on a full disk, say, and then it has no savepoint any more.
func (s *session) savepoint(ctx context.Context, m *member) bool {
	if _, err := s.Exec(ctx, "SAVEPOINT member"); err != nil {
		return false
	}
	m.run(func() error {
		if err := m.ctx.Err(); err != nil {
			return err
		}
		if err := m.fn(s); err != nil {
			return err
		}
		return m.ctx.Err()
	})
	if m.err != nil {
		if _, err := s.Exec(ctx, "ROLLBACK TO SAVEPOINT member"); err != nil {
			return false
		}
	}
	_, err := s.Exec(ctx, "RELEASE SAVEPOINT member")
	return err == nil
}
