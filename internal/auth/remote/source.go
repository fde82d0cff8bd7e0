package remote

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Terms are how often an origin is asked, and how long what it said holds. All
// are required unless they say otherwise.
type Terms struct {
	// TTL is how long a withdrawn key may go on verifying while the origin is
	// there.
	TTL time.Duration
	// RefreshAfter is the age at which keys are asked for anew while the old ones
	// still serve, so that nobody waits.
	RefreshAfter time.Duration
	// AskEvery is the least time between two questions to the origin, whoever
	// calls with whatever tokens.
	AskEvery time.Duration
	// Patience bounds one question, which serves many callers and so has the
	// patience of none of them.
	Patience time.Duration
	// KeepFor is for how long the last keys go on verifying while the origin is
	// away; zero for as long as that takes.
	KeepFor time.Duration
}

// lookEvery is how often Run looks how old the keys are.
const lookEvery = 30 * time.Second

// Config is what a Source is made of. Every field is required unless it says
// otherwise.
type Config struct {
	Terms
	Of string // whose keys they are, as errors and logs call it
	// Fetch asks the origin. Where nothing is new it returns old, which is nil if
	// there is none.
	Fetch func(ctx context.Context, old *auth.KeySet) (*auth.KeySet, error)
	Keys  *auth.KeySet // known already, however old; nil for none
	Log   *slog.Logger

	Now   func() time.Time
	After func(time.Duration) <-chan time.Time // as time.After; for Run
}

// Source is an auth.KeySource that asks elsewhere. It is safe for concurrent
// use.
type Source struct {
	Config
	last   atomic.Pointer[reading]
	flight singleflight.Group
}

var _ auth.KeySource = (*Source)(nil)

// New returns a source, which asks its origin when it is first needed.
func New(c Config) *Source {
	s := &Source{Config: c}
	s.last.Store(&reading{keys: c.Keys})
	return s
}

// reading is an attempt to get the keys.
type reading struct {
	keys *auth.KeySet // the last that were got; nil if none ever were
	read time.Time    // when they were asked for; zero if by an earlier process
	at   time.Time    // when the attempt was made; zero for none yet
	err  error        // if it failed; a domain error
}

// known is the answer to who takes old keys too.
func (s *Source) known(r *reading) (*auth.KeySet, error) {
	if !s.holds(r) {
		return nil, r.err
	}
	return r.keys, nil
}

// holds reports whether there are keys, and not too old ones even for an origin
// that is away.
func (s *Source) holds(r *reading) bool {
	return r.keys != nil && (s.KeepFor == 0 || within(r.read, s.Now(), s.KeepFor))
}

// Run keeps the keys young while nobody calls, so that they are when their
// origin goes away. It returns when the context ends.
func (s *Source) Run(ctx context.Context) {
	for ctx.Err() == nil {
		_, _ = s.Keys(ctx) // what is wrong is logged, and Run tries again
		select {
		case <-ctx.Done():
		case <-s.After(lookEvery):
		}
	}
}

// Keys implements auth.KeySource. They are at most as old as TTL, unless the
// origin is away. CodeUnavailable if it is and there are none that it would hold
// to.
func (s *Source) Keys(ctx context.Context) (*auth.KeySet, error) {
	last, now := s.last.Load(), s.Now()
	if within(last.at, now, s.AskEvery) || within(last.read, now, s.RefreshAfter) {
		return s.known(last)
	}
	asked := s.ask(ctx)
	if s.holds(last) && (last.err != nil || within(last.read, now, s.TTL)) {
		return last.keys, nil
	}
	last, err := wait(ctx, asked)
	if err != nil {
		return nil, err
	}
	return s.known(last)
}

// Fresh implements auth.KeySource: it asks the origin, but no more often than
// AskEvery.
func (s *Source) Fresh(ctx context.Context) (*auth.KeySet, error) {
	last := s.last.Load()
	if !within(last.at, s.Now(), s.AskEvery) {
		var err error
		if last, err = wait(ctx, s.ask(ctx)); err != nil {
			return nil, err
		}
	}
	return last.keys, last.err
}

// ask puts the question to the origin, once for all who do at the same time.
func (s *Source) ask(ctx context.Context) <-chan singleflight.Result {
	return s.flight.DoChan("", func() (any, error) {
		last, now := s.last.Load(), s.Now() // before the question: the answer is at least as recent
		if within(last.at, now, s.AskEvery) {
			return last, nil // by whoever was a moment faster
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Patience)
		defer cancel()
		next := &reading{keys: last.keys, read: last.read, at: now}
		if keys, err := s.fetch(ctx, last.keys); err != nil {
			next.err = cloud.Unavailable(fmt.Errorf("ask %s for its keys: %w", s.Of, err))
		} else {
			next.keys, next.read = keys, now
		}
		s.note(ctx, last, next)
		s.last.Store(next)
		return next, nil
	})
}

// wait returns what came of a question. Its error is that the caller would not
// wait; the origin's is in the reading.
func wait(ctx context.Context, asked <-chan singleflight.Result) (*reading, error) {
	select {
	case result := <-asked:
		return result.Val.(*reading), nil
	case <-ctx.Done():
		return nil, cloud.Unavailable(context.Cause(ctx))
	}
}

// fetch asks the origin. It runs in a goroutine of its own, in which a panic
// would be the process's end.
func (s *Source) fetch(ctx context.Context, old *auth.KeySet) (_ *auth.KeySet, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic while reading the keys: %v\n%s", p, debug.Stack())
		}
	}()
	return s.Fetch(ctx, old)
}

// note logs what an operator wants to know of a question.
func (s *Source) note(ctx context.Context, last, next *reading) {
	switch {
	case next.err != nil && last.err == nil:
		s.Log.WarnContext(ctx, "the keys are not to be had; those that were had last go on verifying tokens",
			"of", s.Of, "known", next.keys != nil, "error", cloud.Explain(next.err))
	case next.err == nil && last.err != nil:
		s.Log.InfoContext(ctx, "the keys are to be had again", "of", s.Of)
	}
	if next.keys != last.keys {
		s.Log.InfoContext(ctx, "the keys are new", "of", s.Of, "issuer", next.keys.Issuers[0], "keys", len(next.keys.Keys))
	}
}

// within reports whether now is less than d after t, and not before it: clocks
// step back.
func within(t, now time.Time, d time.Duration) bool {
	age := now.Sub(t)
	return 0 <= age && age < d
}
