package region

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Config is what a Region is made of. Every field is required but those that say
// otherwise.
type Config struct {
	Store cloud.RegionStore
	Log   *slog.Logger
	NewID func() cloud.ID // makes incarnations, and names processes

	// Now tells the time. Ages are differences of what it returned, so a clock
	// with a monotonic reading, as time.Now has, keeps them true when the wall
	// clock is set.
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time // as time.After

	// Alone says that no other process can write to the store meanwhile, so that
	// what was read holds until this one changes it. May be false.
	Alone bool
}

// Region is the state of a region, safe for concurrent use.
type Region struct {
	store     cloud.RegionStore
	log       *slog.Logger
	newID     func() cloud.ID
	now       func() time.Time
	after     func(time.Duration) <-chan time.Time
	changed   chan struct{}
	fenced    atomic.Bool
	alone     bool
	revisions *revisions
	rooms     rooms
	keep      uint64 // changes of which tombstones are kept

	mu       sync.Mutex
	heard    map[string]time.Time
	unpruned int      // burials since the last pruning
	holder   cloud.ID // names this process in the database; see Begin
	stops    []func() // end what only who holds the region may do
}

// New returns the region whose state is in the store.
func New(c Config) *Region {
	return &Region{
		store:     c.Store,
		log:       c.Log,
		newID:     c.NewID,
		now:       c.Now,
		after:     c.After,
		alone:     c.Alone,
		revisions: newRevisions(),
		changed:   make(chan struct{}, 1),
		keep:      keepChanges,
		heard:     make(map[string]time.Time),
		unpruned:  pruneEvery, // look once at every start
	}
}

// Read runs fn on one consistent state of the region's database.
func (r *Region) Read(ctx context.Context, fn func(cloud.RegionReader) error) error {
	return r.store.Read(ctx, fn)
}

// Changed receives after changes, or what tenants did, were committed, or a source was heard for the
// first time since the start, once for any number of them. It is for one
// receiver.
func (r *Region) Changed() <-chan struct{} { return r.changed }

// Renew gives the stream of changes a new incarnation; everything else stays.
// It is for a database that turned out to be older than what was reported
// from it.
func (r *Region) Renew(ctx context.Context) error {
	incarnation := r.newID()
	err := r.store.Write(ctx, func(w cloud.RegionWriter) error {
		id, err := w.Identity()
		if err != nil {
			return err
		}
		id.Incarnation = incarnation
		return w.SetIdentity(id)
	})
	if err != nil {
		return fmt.Errorf("renew the incarnation: %w", err)
	}
	return nil
}
