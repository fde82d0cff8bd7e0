package region

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// ErrFenced is that another daemon of the region reports to the plane, so that
// this one must not act.
var ErrFenced = errors.New("fenced: another daemon of this region reports to the plane")

// Begin takes the region's database for this process. It is refused with
// ErrFenced where the last one to have it was fenced, unless this one is to
// take over: whoever began because of a supervisor, or by mistake, would take
// turns with the other daemon for ever.
func (r *Region) Begin(ctx context.Context, takeOver bool) error {
	holder := r.newID()
	var fencedAt time.Time
	err := r.store.Write(ctx, func(w cloud.RegionWriter) error {
		before, err := w.Daemon()
		if err != nil {
			return err
		}
		if fencedAt = before.FencedAt; !fencedAt.IsZero() && !takeOver {
			return fmt.Errorf("%w since %s; if that one is to end and this one to go on, start this one, once, with --take-over",
				ErrFenced, fencedAt.Format(time.RFC3339))
		}
		return w.BeginDaemon(holder)
	})
	if err != nil {
		return err
	}
	if !fencedAt.IsZero() {
		r.log.InfoContext(ctx, "this daemon was fenced, and takes over", "fenced_at", fencedAt)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holder = holder
	return nil
}

// Fence stops this process from driving its engine, at once and for good, and
// writes down that it was fenced. Where another process has begun on the same
// database since, that one is who goes on, and nothing is written.
func (r *Region) Fence(ctx context.Context) error {
	r.mu.Lock()
	holder := r.holder
	r.fenced.Store(true)
	for _, stop := range r.stops {
		stop()
	}
	r.mu.Unlock()
	err := r.store.Write(ctx, func(w cloud.RegionWriter) error { return w.FenceDaemon(holder, r.now()) })
	if err != nil {
		return fmt.Errorf("write down that this daemon is fenced: %w", err)
	}
	return nil
}
