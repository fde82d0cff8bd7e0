package region

import (
	"context"
	"time"

	"github.com/penstock-cloud/penstock/internal/engine"
)

// enginePause is how long an engine that gave up is left alone.
const enginePause = 5 * time.Second

// Drive runs the engine until ctx ends, and returns ctx.Err(). An engine that
// gives up is started again after a pause; until then its sources are not
// heard and age.
func (r *Region) Drive(ctx context.Context, e engine.Engine) error {
	for {
		err := e.Run(ctx, r)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.log.ErrorContext(ctx, "the engine gave up and is started again", "error", err, "pause", enginePause)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.after(enginePause):
		}
	}
}
