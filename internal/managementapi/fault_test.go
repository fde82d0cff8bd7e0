package managementapi_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/observe"
)

// faulty is a store that fails from some call on: before it, or, for a
// transaction that writes, when all was done but for the commit.
type faulty struct {
	cloud.Store
	fail func() error
	left *atomic.Int64 // how often it still works
}

func (s faulty) works() bool { return s.left.Add(-1) >= 0 }

func (s faulty) Standing(ctx context.Context, user cloud.ID) (cloud.Standing, error) {
	if !s.works() {
		return cloud.Standing{}, s.fail()
	}
	return s.Store.Standing(ctx, user)
}

func (s faulty) Read(ctx context.Context, fn func(cloud.Reader) error) error {
	if !s.works() {
		return s.fail()
	}
	return s.Store.Read(ctx, fn)
}

func (s faulty) Write(ctx context.Context, fn func(cloud.Writer) error) error {
	if !s.works() {
		return s.fail()
	}
	return s.Store.Write(ctx, func(tx cloud.Writer) error {
		if err := fn(tx); err != nil {
			return err
		}
		if !s.works() {
			return s.fail()
		}
		return nil
	})
}

// works is more often than any request calls a store.
const works = 1000

// faultyWorld is a world whose store fails when the counter has come to 0.
func faultyWorld(t *testing.T, fail func() error) (w *world, left *atomic.Int64) {
	t.Helper()
	left = &atomic.Int64{}
	left.Store(works)
	return newWorld(t, func(s cloud.Store) cloud.Store { return faulty{s, fail, left} }), left
}

// failEverywhere calls an operation on a store that fails ever later, until all
// is done before it would; each refused call has changed nothing, and goes to
// check.
func failEverywhere(t *testing.T, operation string, fail func() error, check func(w *world, r reply)) {
	t.Helper()
	w, left := faultyWorld(t, fail)
	before, request := w.dump(), examples[operation]
	try := func(calls int64) (done bool) {
		left.Store(calls)
		r := w.call(asks(operation), request.method, request.path, request.body, "Idempotency-Key", "k")
		if r.status < 300 {
			return true
		}
		if diff := cmp.Diff(before, w.dump()); diff != "" {
			t.Errorf("%s: %d after %d calls, and yet the database changed:\n%s", r.what, r.status, calls, diff)
		}
		check(w, r)
		return false
	}
	if try(0) {
		t.Error("it needs no store, not even to know who is calling")
	}
	left.Store(works)
	w.get(admin, "/user").want(http.StatusOK) // from now on, the keys that verify tokens are known
	for calls := int64(0); !try(calls); calls++ {
		if calls == works {
			t.Fatal("it never comes to an end")
		}
	}
}

// TestStoreThatIsAway takes the database away at every point of every
// operation: the answer is 503, never that something is not there or that
// nobody knows the caller, and all is well when it is back.
func TestStoreThatIsAway(t *testing.T) {
	t.Parallel()
	away := func() error { return cloud.Unavailable(errors.New("the disk is full of secrets")) }
	for operation := range examples {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			failEverywhere(t, operation, away, func(w *world, r reply) {
				r.want(http.StatusServiceUnavailable).says("try again")
				if r.header.Get("Retry-After") != "1" || strings.Contains(r.body, "secrets") {
					t.Errorf("%s: the answer is\n%s", r.what, r)
				}
				if !strings.Contains(w.logged(), "secrets") {
					t.Errorf("the log does not say why:\n%s", w.logged())
				}
			})
		})
	}
}

// TestStoreThatIsAwayFromTheBeginning is about tokens that nobody can verify:
// whose they are is not known, so neither are they wrong.
func TestStoreThatIsAwayFromTheBeginning(t *testing.T) {
	t.Parallel()
	w, left := faultyWorld(t, func() error { return cloud.Unavailable(errors.New("away")) })
	left.Store(0)
	for _, who := range []string{viewer, badToken} {
		w.get(who, "/instances").want(http.StatusServiceUnavailable)
	}
	w.get(anonymous, "/instances").want(http.StatusUnauthorized)
	left.Store(works)
	w.get(badToken, "/instances").want(http.StatusUnauthorized)
	kept := w.get(viewer, "/instances").want(http.StatusOK)
	left.Store(0)
	// What is kept in memory is for those only of whom it is known that they may.
	w.get(viewer, "/instances", "If-None-Match", kept.header.Get("ETag")).want(http.StatusServiceUnavailable)
}

// TestFailuresThatNobodyForesaw proves of a store that fails in its own words,
// and of one that panics, that callers get to read neither.
func TestFailuresThatNobodyForesaw(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("SELECT hunter2") },
		"panic": func() error { panic("SELECT hunter2") },
	} {
		for operation := range examples {
			t.Run(name+"/"+operation, func(t *testing.T) {
				t.Parallel()
				failEverywhere(t, operation, fail, func(w *world, r reply) {
					id := r.header.Get(observe.RequestIDHeader)
					r.want(http.StatusInternalServerError).says("internal error", id)
					if strings.Contains(r.String(), "SELECT") {
						t.Errorf("%s: the answer tells all:\n%s", r.what, r)
					}
					if log := w.logged(); !strings.Contains(log, "hunter2") || !strings.Contains(log, id) {
						t.Errorf("the log does not say what happened to %s:\n%s", id, log)
					}
				})
			})
		}
	}
}
