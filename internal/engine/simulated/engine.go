package simulated

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// Engine gives a daemon access to a World.
type Engine struct {
	world   *World
	between func(cloud.ID, Step) error
	turns   turns

	ended chan struct{} // closed when the daemon has died
	cause error         // of that; guarded by the World's lock
}

var _ engine.Engine = (*Engine)(nil)

// New returns an Engine on the World, which may have had others.
//
// between, unless it is nil, is called as every order begins and after each of
// its effects, with the id of the machine or the filesystem. It is where a test
// kills the daemon: once it has returned an error, nothing that this Engine is
// doing or is asked for has any effect, and all of it fails with that error.
func New(w *World, between func(cloud.ID, Step) error) *Engine {
	return &Engine{world: w, between: between, turns: newTurns(), ended: make(chan struct{})}
}

// Run implements engine.Engine.
func (e *Engine) Run(ctx context.Context, tell engine.Tell) error {
	watcher := e.world.watch()
	defer e.world.unwatch(watcher)
	for {
		if err := e.alive(ctx); err != nil {
			return err
		}
		pending, wait := e.world.heed(watcher)
		for _, s := range pending {
			tell(s)
		}
		var due <-chan time.Time
		if wait >= 0 {
			due = e.world.config.After(wait)
		}
		select {
		case <-ctx.Done():
		case <-e.ended:
		case <-watcher.news:
		case <-due:
		}
	}
}

// Features implements engine.Engine.
func (e *Engine) Features() engine.Features {
	return engine.Features{Filesystems: !e.world.config.NoFilesystems}
}

// Hosts implements engine.Engine.
func (e *Engine) Hosts(ctx context.Context) ([]cloud.Host, error) {
	if err := e.alive(ctx); err != nil {
		return nil, err
	}
	hosts := make([]cloud.Host, len(e.world.names))
	for i, name := range e.world.names {
		hosts[i] = e.world.hosts[name].Host // which does not change, nor does hosts for these names
		hosts[i].GPUs = slices.Clone(hosts[i].GPUs)
	}
	return hosts, nil
}

// Images implements engine.Engine.
func (e *Engine) Images(ctx context.Context) ([]string, error) {
	if err := e.alive(ctx); err != nil {
		return nil, err
	}
	return slices.Clone(e.world.images), nil
}

// Survey implements engine.Engine.
func (e *Engine) Survey(ctx context.Context) (survey engine.Survey, err error) {
	if err := e.alive(ctx); err != nil {
		return engine.Survey{}, err
	}
	err = e.world.do(func() error {
		survey = e.world.survey()
		return nil
	})
	return survey, err
}

// alive says why nothing is to be done any more, if so.
func (e *Engine) alive(ctx context.Context) error {
	select {
	case <-e.ended:
		return e.cause
	default:
		return ctx.Err()
	}
}

// pass lets between have its say after a step.
func (e *Engine) pass(id cloud.ID, step Step) error {
	if e.between == nil {
		return nil
	}
	err := e.between(id, step)
	if err != nil {
		e.die(err)
	}
	return err
}

// die ends all that the Engine does. Effects happen under the World's lock, so
// that there is none after this.
func (e *Engine) die(cause error) {
	e.world.mu.Lock()
	defer e.world.mu.Unlock()
	select {
	case <-e.ended: // of something else, already
	default:
		e.cause = cause
		close(e.ended)
	}
}

// wait lets time go by.
func (e *Engine) wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return e.alive(ctx)
	}
	select {
	case <-e.world.config.After(d):
	case <-ctx.Done():
	case <-e.ended:
	}
	return e.alive(ctx)
}

// hang waits until it is over, or forever.
func (e *Engine) hang(ctx context.Context, d time.Duration) error {
	if d > 0 {
		return e.wait(ctx, d)
	}
	select {
	case <-ctx.Done():
	case <-e.ended:
	}
	return e.alive(ctx)
}

// act has one effect, unless the daemon has died or ctx has ended.
func (e *Engine) act(ctx context.Context, id cloud.ID, step Step, effect func() error) error {
	err := e.world.do(func() error {
		if err := e.alive(ctx); err != nil {
			return err
		}
		return effect()
	})
	if err != nil {
		return err
	}
	return e.pass(id, step)
}

// CreateFilesystem implements engine.Engine.
func (e *Engine) CreateFilesystem(ctx context.Context, f cloud.Filesystem) error {
	if f.Size < 1 || f.Size > cloud.MaxBytes {
		return cloud.Invalid("size must be over zero and at most %s", cloud.MaxBytes)
	}
	return e.storage(ctx, f.ID, CreateFilesystem, FilesystemMade, func() error { return e.world.putFilesystem(f) })
}

// DeleteFilesystem implements engine.Engine.
func (e *Engine) DeleteFilesystem(ctx context.Context, f cloud.Filesystem) error {
	return e.storage(ctx, f.ID, DeleteFilesystem, FilesystemRemoved, func() error { return e.world.removeFilesystem(f.ID) })
}

// storage carries out an order about a filesystem, which is on no host.
func (e *Engine) storage(ctx context.Context, id cloud.ID, begun, done Step, effect func() error) error {
	if e.world.config.NoFilesystems {
		return cloud.Unimplemented("this region has no filesystems")
	}
	if err := e.act(ctx, id, begun, func() error { return nil }); err != nil {
		return err
	}
	return e.act(ctx, id, done, effect)
}

var errInjected = errors.New("it failed by the chance that is configured")

// injected is the error of an order that was to fail.
func injected(begun Step, m engine.Machine) error {
	return fmt.Errorf("the order %q for machine %s on the simulated host %s: %w", begun, m.ID, m.Host, errInjected)
}
