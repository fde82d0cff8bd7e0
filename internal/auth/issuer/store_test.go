package issuer_test

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// store is what the issuer needs of a cloud.Store, in memory. Two issuers on
// one of it are two processes on one database.
type store struct {
	cloud.Store // nil: what the issuer has no business with

	mu    sync.Mutex
	state state
	down  error
	reads int
	gate  chan struct{} // if not nil, reads wait for it
	begun chan struct{} // if not nil, told of each read
}

type state struct {
	issuers []string
	keys    []cloud.SigningKey // newest first
	audit   []cloud.AuditEntry
}

func (s state) clone() state {
	return state{slices.Clone(s.issuers), slices.Clone(s.keys), slices.Clone(s.audit)}
}

func (s *store) Read(ctx context.Context, fn func(cloud.Reader) error) error {
	s.mu.Lock()
	s.reads++
	down, now, gate, begun := s.down, s.state.clone(), s.gate, s.begun
	s.mu.Unlock()
	if begun != nil {
		begun <- struct{}{}
	}
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if down != nil {
		return down
	}
	return fn(&transaction{state: &now})
}

func (s *store) Write(_ context.Context, fn func(cloud.Writer) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down != nil {
		return s.down
	}
	var next state
	for range 2 { // the contract allows to run fn again; the last run counts
		next = s.state.clone()
		if err := fn(&transaction{state: &next}); err != nil {
			return err
		}
	}
	s.state = next
	return nil
}

func (s *store) setDown(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = err
}

func (s *store) readCount() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

func (s *store) edit(fn func(*state)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn(&s.state)
}

type transaction struct {
	cloud.Writer // nil, as above
	state        *state
}

func (t *transaction) Plane() (cloud.Plane, error) {
	return cloud.Plane{Issuers: t.state.issuers}, nil
}

func (t *transaction) SigningKeys() ([]cloud.SigningKey, error) { return t.state.keys, nil }

func (t *transaction) CreateSigningKey(k cloud.SigningKey) error {
	t.state.keys = slices.Insert(t.state.keys, 0, k)
	return nil
}

func (t *transaction) RetireSigningKey(id string, at, expires time.Time) error {
	for i := range t.state.keys {
		if t.state.keys[i].ID == id {
			t.state.keys[i].RetiredAt, t.state.keys[i].ExpiresAt = at, expires
			return nil
		}
	}
	return cloud.NotFound("no such key")
}

func (t *transaction) DeleteExpiredSigningKeys(now time.Time) error {
	t.state.keys = slices.DeleteFunc(t.state.keys, func(k cloud.SigningKey) bool {
		return !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt)
	})
	return nil
}

func (t *transaction) AppendAudit(e cloud.AuditEntry) error {
	t.state.audit = append(t.state.audit, e)
	return nil
}
