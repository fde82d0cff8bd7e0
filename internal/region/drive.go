package region

import (
	"context"
	"time"

	"github.com/penstock-cloud/penstock/internal/engine"
)

// enginePause is how long an engine that gave up is left alone.
const enginePause = 5 * time.Second

// Drive runs the engine until ctx ends, and returns ctx.Err(), or until the
// region is fenced, and returns ErrFenced. An engine that gives up is started
// again after a pause; until then its sources are not heard and age. It is
// called once.
func (r *Region) Drive(ctx context.Context, e engine.Inventory) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	r.mu.Lock()
	r.stop = stop
	r.mu.Unlock()
	for ctx.Err() == nil && !r.fenced.Load() {
		err := e.Run(ctx, r)
		if ctx.Err() != nil {
			break
		}
		r.log.ErrorContext(ctx, "the engine gave up and is started again", "error", err, "pause", enginePause)
		select {
		case <-ctx.Done():
		case <-r.after(enginePause):
		}
	}
	if r.fenced.Load() {
		return ErrFenced
	}
	return ctx.Err()
}
