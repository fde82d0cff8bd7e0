package published

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

const (
	// keysTTL is how long a withdrawn key may go on verifying while the plane is
	// there.
	keysTTL = 5 * time.Minute
	// refreshAfter is the age at which keys are asked for anew while the old ones
	// still serve, so that nobody waits.
	refreshAfter = 4 * time.Minute
	// askEvery is the least time between two questions to the plane, whoever
	// calls with whatever tokens.
	askEvery = 5 * time.Second
	// askPatience bounds one question, which serves many callers and so has the
	// patience of none of them.
	askPatience = 5 * time.Second
	// lookEvery is how often Run looks how old the keys are.
	lookEvery = 30 * time.Second
)

// Config is what a Source is made of. Every field is required unless it says
// otherwise.
type Config struct {
	Store cloud.RegionStore // keeps the keys for a region that starts while the plane is away
	Plane string            // the plane's URL, as for the reports to it
	Log   *slog.Logger

	// Roots verify the plane's certificate; nil means those of the system.
	Roots *x509.CertPool
	// Plaintext permits a plane at http:// that is not on a loopback address:
	// whoever is on the way can then make tokens that this region believes.
	Plaintext bool
	// Transport carries the requests; nil means a new one of net/http.
	Transport http.RoundTripper

	Now   func() time.Time
	After func(time.Duration) <-chan time.Time // as time.After; for Run
}

// Source is the auth.KeySource of a region. It is safe for concurrent use.
//
// The issuer that it believes is the one that the plane names. The keys come
// from the plane's URL, whatever the plane's documents say where they are.
//
// While the plane is away the last keys go on verifying, however old: a plane
// that cannot withdraw a key cannot say either what its owner may do, which is
// what bounds that time.
type Source struct {
	plane  client
	store  cloud.RegionStore
	log    *slog.Logger
	now    func() time.Time
	after  func(time.Duration) <-chan time.Time
	last   atomic.Pointer[reading]
	flight singleflight.Group

	unwritten bool // whether the database may have other keys; of the one flight
}

var _ auth.KeySource = (*Source)(nil)

// reading is an attempt to get the keys.
type reading struct {
	keys *auth.KeySet // the last that were got; nil if none ever were
	read time.Time    // when they were asked for; zero if by an earlier process
	at   time.Time    // when the attempt was made; zero for none yet
	err  error        // if it failed; a domain error
}

// known is the answer to who takes old keys too.
func (r *reading) known() (*auth.KeySet, error) {
	if r.keys == nil {
		return nil, r.err
	}
	return r.keys, nil
}

// Open returns a source that has what the region's database kept, and asks the
// plane when it is first needed. CodeInvalid if the plane's URL cannot be used.
func Open(ctx context.Context, c Config) (*Source, error) {
	plane, err := newClient(c)
	if err != nil {
		return nil, err
	}
	s := &Source{plane: plane, store: c.Store, log: c.Log, now: c.Now, after: c.After}
	keys, err := s.recall(ctx)
	if err != nil {
		return nil, err
	}
	s.last.Store(&reading{keys: keys})
	return s, nil
}

// Run keeps the keys young while nobody calls, so that they are when the plane
// goes away. It returns when the context ends.
func (s *Source) Run(ctx context.Context) {
	for ctx.Err() == nil {
		_, _ = s.Keys(ctx) // what is wrong is logged, and Run tries again
		select {
		case <-ctx.Done():
		case <-s.after(lookEvery):
		}
	}
}

// Keys implements auth.KeySource. They are at most 5 minutes old, unless the
// plane is away. CodeUnavailable if it is and there never were any.
func (s *Source) Keys(ctx context.Context) (*auth.KeySet, error) {
	last, now := s.last.Load(), s.now()
	if within(last.at, now, askEvery) || within(last.read, now, refreshAfter) {
		return last.known()
	}
	asked := s.ask(ctx)
	if last.keys != nil && (last.err != nil || within(last.read, now, keysTTL)) {
		return last.keys, nil
	}
	last, err := wait(ctx, asked)
	if err != nil {
		return nil, err
	}
	return last.known()
}

// Fresh implements auth.KeySource: it asks the plane, but at most every 5
// seconds.
func (s *Source) Fresh(ctx context.Context) (*auth.KeySet, error) {
	last := s.last.Load()
	if !within(last.at, s.now(), askEvery) {
		var err error
		if last, err = wait(ctx, s.ask(ctx)); err != nil {
			return nil, err
		}
	}
	return last.keys, last.err
}

// ask puts the question to the plane, once for all who do at the same time.
func (s *Source) ask(ctx context.Context) <-chan singleflight.Result {
	return s.flight.DoChan("", func() (any, error) {
		last, now := s.last.Load(), s.now() // before the question: the answer is at least as recent
		if within(last.at, now, askEvery) {
			return last, nil // by whoever was a moment faster
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askPatience)
		defer cancel()
		next := &reading{keys: last.keys, read: last.read, at: now}
		if keys, err := s.fetch(ctx, last.keys); err != nil {
			next.err = cloud.Unavailable(fmt.Errorf("ask the plane for its keys: %w", err))
		} else {
			next.keys, next.read = keys, now
		}
		s.note(ctx, last, next)
		s.last.Store(next)
		return next, nil
	})
}

// wait returns what came of a question. Its error is that the caller would not
// wait; the plane's is in the reading.
func wait(ctx context.Context, asked <-chan singleflight.Result) (*reading, error) {
	select {
	case result := <-asked:
		return result.Val.(*reading), nil
	case <-ctx.Done():
		return nil, cloud.Unavailable(context.Cause(ctx))
	}
}

// fetch gets the keys from the plane and writes them down; where nothing is new
// it returns old. It runs in a goroutine of its own, in which a panic would be
// the process's end.
func (s *Source) fetch(ctx context.Context, old *auth.KeySet) (_ *auth.KeySet, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic while reading the keys: %v\n%s", p, debug.Stack())
		}
	}()
	got, err := s.plane.fetch(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := got.keySet()
	if err != nil {
		return nil, err
	}
	changed := old == nil || !same(old, keys)
	if changed || s.unwritten {
		s.keep(ctx, got)
	}
	if !changed {
		return old, nil
	}
	return keys, nil
}

// note logs what an operator wants to know of a question.
func (s *Source) note(ctx context.Context, last, next *reading) {
	switch {
	case next.err != nil && last.err == nil:
		s.log.WarnContext(ctx, "the plane does not tell its keys; those that it told last go on verifying tokens",
			"known", next.keys != nil, "error", cloud.Explain(next.err))
	case next.err == nil && last.err != nil:
		s.log.InfoContext(ctx, "the plane tells its keys again")
	}
	if next.keys != last.keys {
		s.log.InfoContext(ctx, "the plane's keys are new", "issuer", next.keys.Issuers[0], "keys", len(next.keys.Keys))
	}
}

// within reports whether now is less than d after t, and not before it: clocks
// step back.
func within(t, now time.Time, d time.Duration) bool {
	age := now.Sub(t)
	return 0 <= age && age < d
}
