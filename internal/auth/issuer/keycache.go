package issuer

import (
	"context"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

const (
	// keysFresh is how long keys are served without asking the store: within
	// it another process's rotation is seen.
	keysFresh = 10 * time.Second
	// keysRetry is the least time between two questions to the store, whoever
	// calls with whatever tokens.
	keysRetry = time.Second
	// keysPatience bounds one question, which serves many callers and so has
	// the patience of none of them.
	keysPatience = 5 * time.Second
)

// keyCache holds the last reading of the keys.
type keyCache struct {
	last   atomic.Pointer[reading]
	flight singleflight.Group
}

// reading is an attempt to read the keys.
type reading struct {
	keys *auth.KeySet // the last that was read; nil if none ever was
	read time.Time    // when that was
	at   time.Time    // when the attempt was made
	err  error        // if it failed
}

// Keys implements auth.KeySource. While the store is away the last keys that
// were read go on being served: they verify tokens, and what a token opens is
// read from the store anyway.
func (i *Issuer) Keys(ctx context.Context) (*auth.KeySet, error) {
	last := i.keys.last.Load()
	if last != nil && last.keys != nil {
		now := i.now()
		if within(last.read, now, keysFresh) || within(last.at, now, keysRetry) {
			return last.keys, nil
		}
	}
	last, err := i.read(ctx)
	if err != nil {
		return nil, err
	}
	if last.keys == nil {
		return nil, last.err
	}
	return last.keys, nil
}

// Fresh implements auth.KeySource: it asks the store, but at most once a second.
func (i *Issuer) Fresh(ctx context.Context) (*auth.KeySet, error) {
	last := i.keys.last.Load()
	if last == nil || !within(last.at, i.now(), keysRetry) {
		var err error
		if last, err = i.read(ctx); err != nil {
			return nil, err
		}
	}
	if last.err != nil {
		return nil, last.err
	}
	return last.keys, nil
}

// read asks the store, once for all who wait. Its error is that the caller
// would not wait; the store's is in the reading.
func (i *Issuer) read(ctx context.Context) (*reading, error) {
	shared := i.keys.flight.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keysPatience)
		defer cancel()
		last := i.keys.last.Load()
		if last == nil {
			last = &reading{}
		}
		now := i.now() // before the question: the answer is at least as recent
		next := &reading{keys: last.keys, read: last.read, at: now}
		switch keys, err := i.load(ctx, last.keys, now); {
		case err == nil:
			next.keys, next.read = keys, now
		case ctx.Err() != nil:
			next.err = cloud.Unavailable(err)
		default:
			next.err = err
		}
		i.keys.last.Store(next)
		return next, nil
	})
	select {
	case result := <-shared:
		return result.Val.(*reading), nil
	case <-ctx.Done():
		return nil, cloud.Unavailable(context.Cause(ctx))
	}
}

// load reads the keys from the store; where nothing is new it returns old. It
// runs in a goroutine of its own, in which a panic would be the process's end.
func (i *Issuer) load(ctx context.Context, old *auth.KeySet, now time.Time) (_ *auth.KeySet, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic while reading the keys: %v\n%s", p, debug.Stack())
		}
	}()
	var plane cloud.Plane
	var stored []cloud.SigningKey
	err = i.store.Read(ctx, func(r cloud.Reader) (err error) {
		if plane, err = r.Plane(); err != nil {
			return err
		}
		stored, err = r.SigningKeys()
		return err
	})
	if err != nil {
		return nil, err
	}
	if old == nil {
		old = &auth.KeySet{}
	}
	set := &auth.KeySet{Keys: make(map[string]auth.Key, len(stored)), Issuers: plane.Issuers}
	for _, k := range stored {
		if !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt) {
			continue
		}
		key, known := old.Keys[k.ID] // the ID says what is in it
		if !known {
			private, err := parseKey(k)
			if err != nil {
				return nil, err
			}
			key = auth.Key{Algorithm: auth.RS256, Public: &private.PublicKey}
		}
		key.ExpiresAt = k.ExpiresAt
		set.Keys[k.ID] = key
	}
	if slices.Equal(set.Issuers, old.Issuers) && maps.EqualFunc(set.Keys, old.Keys, sameKey) {
		return old, nil
	}
	return set, nil
}

func sameKey(a, b auth.Key) bool { return a.Public.Equal(b.Public) && a.ExpiresAt.Equal(b.ExpiresAt) }

// within reports whether now is less than d after t, and not before it: clocks
// step back.
func within(t, now time.Time, d time.Duration) bool {
	age := now.Sub(t)
	return 0 <= age && age < d
}
