package region

import (
	"context"
	"time"
)

// enginePause is how long an engine that gave up is left alone.
const enginePause = 5 * time.Second

// whileHeld runs something that only who holds the region may do: until ctx
// ends, or the region is fenced, and returns ErrFenced then.
func (r *Region) whileHeld(ctx context.Context, run func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	r.mu.Lock()
	r.stops = append(r.stops, stop)
	r.mu.Unlock()
	if !r.fenced.Load() {
		if err := run(ctx); !r.fenced.Load() {
			return err
		}
	}
	return ErrFenced
}

// insist runs something until it succeeds or ctx ends, with a pause after each
// failure, of which it complains.
func (r *Region) insist(ctx context.Context, complain func(context.Context, error), run func(context.Context) error) error {
	for ctx.Err() == nil {
		err := run(ctx)
		if err == nil || ctx.Err() != nil {
			break
		}
		complain(ctx, err)
		select {
		case <-ctx.Done():
		case <-r.after(enginePause):
		}
	}
	return ctx.Err()
}

func (r *Region) complainOfEngine(ctx context.Context, err error) {
	r.log.ErrorContext(ctx, "the engine gave up and is started again", "error", err, "pause", enginePause)
}
