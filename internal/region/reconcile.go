package region

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

const (
	// surveyEvery is how often the engine is asked for everything, in case that
	// it did not tell of something.
	surveyEvery = 3 * time.Second
	// machinesPage is how many are read at once.
	machinesPage = 1000
	// stopGrace is how long a machine may take to turn itself off.
	stopGrace = 30 * time.Second
	// parallel bounds how many machines are worked on at once, unless it is
	// configured.
	parallel = 64
)

// ReconcilerConfig is what a Reconciler is made of. Every field is required but
// those that say otherwise.
type ReconcilerConfig struct {
	Region    *Region
	Engine    engine.Engine
	Addresses netip.Prefix // from which instances have theirs
	Log       *slog.Logger
	Parallel  int // machines that are worked on at once; 0 means 64
}

// Reconciler brings what an engine runs to what is wanted of it, and what is
// written down to what was seen. Everything that it has to know is in the
// region's database; so it goes on where the one before it ended, wherever that
// was.
type Reconciler struct {
	ReconcilerConfig
	addresses *addresses
	agenda    *agenda
	waiting   *waiting
	sightings *sightings
	look      chan struct{} // that something happened: survey now
}

// NewReconciler returns one that has not begun. CodeInvalid for a range of
// addresses that is none.
func NewReconciler(c ReconcilerConfig) (*Reconciler, error) {
	if c.Parallel == 0 {
		c.Parallel = parallel
	}
	addresses, err := newAddresses(c.Addresses)
	if err != nil {
		return nil, err
	}
	return &Reconciler{
		ReconcilerConfig: c,
		addresses:        addresses,
		agenda:           newAgenda(),
		waiting:          newWaiting(),
		sightings:        newSightings(),
		look:             make(chan struct{}, 1),
	}, nil
}

// Wake has a machine worked on soon, if there is anything to do.
func (r *Reconciler) Wake(id cloud.ID) { r.agenda.add(id) }

// Run works until ctx ends, and returns ctx.Err(), or until the region is
// fenced, and returns ErrFenced. It is called once.
func (r *Reconciler) Run(ctx context.Context) error {
	return r.Region.whileHeld(ctx, func(ctx context.Context) error {
		if err := r.Region.insist(ctx, r.complainOfStart, r.takeUp); err != nil {
			return err
		}
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return r.attend(ctx) })
		group.Go(func() error { return r.watch(ctx) })
		group.Go(func() error { return r.work(ctx) })
		return group.Wait()
	})
}

func (r *Reconciler) complainOfStart(ctx context.Context, err error) {
	r.Log.ErrorContext(ctx, "the region's machines could not be taken up; trying again", "error", err, "pause", enginePause)
}

// takeUp reads what an earlier process left, and removes the filesystems that it
// did not finish.
func (r *Reconciler) takeUp(ctx context.Context) error {
	hosts, err := r.Engine.Hosts(ctx)
	if err != nil {
		return err
	}
	if err := r.Region.change(ctx, func(c *change) error { return c.SetHosts(hosts) }); err != nil {
		return err
	}
	if err := r.removeUnfinished(ctx); err != nil {
		return err
	}
	return r.eachMachine(ctx, func(m cloud.Machine) error {
		if m.IP != "" {
			r.addresses.mark(m.IP)
		}
		if nextStep(m) != stepNone {
			r.Wake(m.ID)
		}
		return nil
	})
}

func (r *Reconciler) removeUnfinished(ctx context.Context) error {
	var all []cloud.Filesystem
	err := r.Region.Read(ctx, func(tx cloud.RegionReader) (err error) {
		all, err = tx.AllFilesystems()
		return err
	})
	if err != nil {
		return err
	}
	for _, f := range all {
		if f.State == cloud.FilesystemActive {
			continue
		}
		if err := r.removeFilesystem(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// removeFilesystem removes one that nobody is shown any more.
func (r *Reconciler) removeFilesystem(ctx context.Context, f cloud.Filesystem) error {
	if err := r.Engine.DeleteFilesystem(ctx, f); err != nil {
		return err
	}
	return r.Region.change(ctx, func(c *change) error { return c.DeleteFilesystem(f.ID) })
}

// eachMachine reads page by page, so that no transaction is open meanwhile.
func (r *Reconciler) eachMachine(ctx context.Context, do func(cloud.Machine) error) error {
	var after cloud.ID
	for {
		var page []cloud.Machine
		err := r.Region.Read(ctx, func(tx cloud.RegionReader) (err error) {
			page, err = tx.AllMachines(after, machinesPage)
			return err
		})
		if err != nil {
			return err
		}
		for _, m := range page {
			if err := do(m); err != nil {
				return err
			}
		}
		if len(page) < machinesPage {
			return nil
		}
		after = page[len(page)-1].ID
	}
}

// attend keeps the engine in touch with its hosts. What it tells is a reason to
// look, and no more: by the time that it is heard, it may be old.
func (r *Reconciler) attend(ctx context.Context) error {
	return r.Region.insist(ctx, r.Region.complainOfEngine, func(ctx context.Context) error {
		return r.Engine.Run(ctx, func(engine.Sighting) { r.glance() })
	})
}

func (r *Reconciler) glance() {
	select {
	case r.look <- struct{}{}:
	default: // there will be a look after this anyway
	}
}

// work does what is on the agenda, each machine by itself.
func (r *Reconciler) work(ctx context.Context) error {
	var busy errgroup.Group
	busy.SetLimit(r.Parallel)
	defer func() { _ = busy.Wait() }() // they return no error
	for {
		id, err := r.agenda.take(ctx)
		if err != nil {
			return err
		}
		busy.Go(func() error {
			r.attempt(ctx, id)
			return nil
		})
	}
}
