package simulated

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// Step is a point in an order: its beginning, or the end of one of its
// effects.
type Step string

// The steps, in the order in which they are taken.
const (
	Prepare       Step = "prepare" // begins
	DiskMade      Step = "disk made"
	SeedMade      Step = "seed made"
	NetworkJoined Step = "network joined"
	Defined       Step = "defined"

	Start     Step = "start" // begins
	PoweredOn Step = "powered on"

	Stop       Step = "stop" // begins
	Asked      Step = "asked to turn itself off"
	PoweredOff Step = "powered off"

	Delete      Step = "delete" // begins
	Cut         Step = "cut off from power"
	Undefined   Step = "undefined"
	NetworkLeft Step = "network left"
	SeedRemoved Step = "seed removed"
	DiskRemoved Step = "disk removed"

	CreateFilesystem  Step = "create filesystem" // begins
	FilesystemMade    Step = "filesystem made"
	DeleteFilesystem  Step = "delete filesystem" // begins
	FilesystemRemoved Step = "filesystem removed"
)

// order is something to be done to a machine.
type order struct {
	begun Step
	fails float64 // how likely
	alone bool    // no other such order for the machine goes on meanwhile
	// ready says whether there is anything to be done, and what forbids it.
	ready   func(Machine) (bool, error)
	effects []effect
}

// effect is one change on a host, which may have been made already.
type effect struct {
	step  Step
	after time.Duration // to wait before
	apply func(*Machine) error
}

// Prepare implements engine.Engine.
func (e *Engine) Prepare(ctx context.Context, m engine.Machine) error {
	return e.carryOut(ctx, m, order{
		begun: Prepare,
		fails: e.world.config.Faults.Prepare,
		alone: true,
		ready: func(there Machine) (bool, error) {
			if there.Defined && there.Disk && there.Seed && there.Network {
				return false, nil
			}
			return true, e.world.offers(m.Image)
		},
		effects: []effect{
			{DiskMade, e.world.draw(e.world.config.Delays.Prepare), func(there *Machine) error {
				there.ProjectID, there.CPU, there.Memory, there.IP = m.ProjectID, m.Type.CPU, m.Type.Memory, m.IP
				there.Disk = true
				return nil
			}},
			{SeedMade, 0, func(there *Machine) error { there.Seed = true; return nil }},
			{NetworkJoined, 0, func(there *Machine) error { there.Network = true; return nil }},
			{Defined, 0, func(there *Machine) error { return e.world.define(there, m) }},
		},
	})
}

// Start implements engine.Engine.
func (e *Engine) Start(ctx context.Context, m engine.Machine) error {
	missing := func(there Machine) error {
		if !there.Defined {
			return cloud.NotFound("host %s has no machine %s", m.Host, m.ID)
		}
		return nil
	}
	return e.carryOut(ctx, m, order{
		begun: Start,
		fails: e.world.config.Faults.Start,
		alone: true,
		ready: func(there Machine) (bool, error) { return !there.on(), missing(there) },
		effects: []effect{{PoweredOn, e.world.draw(e.world.config.Delays.Start), func(there *Machine) error {
			if err := missing(*there); err != nil || there.on() {
				return err
			}
			there.GPUs = slices.Clone(m.GPUs)
			there.turn(engine.PowerOn, "")
			return nil
		}}},
	})
}

// Stop implements engine.Engine. It lets other orders for the machine go on
// while it waits: a Delete does not wait for the grace to pass.
func (e *Engine) Stop(ctx context.Context, m engine.Machine, grace time.Duration) error {
	return e.carryOut(ctx, m, order{
		begun: Stop,
		fails: e.world.config.Faults.Stop,
		ready: func(there Machine) (bool, error) { return there.on(), nil },
		effects: []effect{
			{Asked, 0, func(*Machine) error { return nil }},
			{PoweredOff, e.world.obeysAfter(grace), cut},
		},
	})
}

// Delete implements engine.Engine.
func (e *Engine) Delete(ctx context.Context, m engine.Machine) error {
	return e.carryOut(ctx, m, order{
		begun: Delete,
		fails: e.world.config.Faults.Delete,
		alone: true,
		ready: func(there Machine) (bool, error) { return !there.nothing(), nil },
		effects: []effect{
			{Cut, e.world.draw(e.world.config.Delays.Delete), cut},
			{Undefined, 0, func(there *Machine) error { there.undefine(); return nil }},
			{NetworkLeft, 0, func(there *Machine) error { there.Network = false; return nil }},
			{SeedRemoved, 0, func(there *Machine) error { there.Seed = false; return nil }},
			{DiskRemoved, 0, func(there *Machine) error { there.Disk = false; return nil }},
		},
	})
}

// cut turns off a machine that is on.
func cut(there *Machine) error {
	if there.on() {
		there.turn(engine.PowerOff, "")
	}
	return nil
}

// define makes of a machine that has all it needs one that can be turned on.
func (w *World) define(there *Machine, m engine.Machine) error {
	for _, id := range m.Filesystems {
		if _, found := w.filesystems[id]; !found {
			return fmt.Errorf("there is no filesystem %s, which machine %s is to have", id, m.ID)
		}
	}
	if !there.Defined {
		there.Defined = true
		there.turn(engine.PowerOff, "")
	}
	return nil
}

// carryOut does what is ordered, unless it is done already.
func (e *Engine) carryOut(ctx context.Context, m engine.Machine, o order) error {
	if o.alone {
		release, err := e.turns.take(ctx, m.ID)
		if err != nil {
			return err
		}
		defer release()
	}
	needed, err := e.begin(ctx, m, o)
	if err != nil || !needed {
		return err
	}
	fate := e.world.fate(o)
	if fate.hangs {
		if err := e.hang(ctx, fate.hangsFor); err != nil {
			return err
		}
	}
	for i, effect := range o.effects {
		if err := e.wait(ctx, effect.after); err != nil {
			return err
		}
		if i == fate.failsAt {
			return injected(o.begun, m)
		}
		if err := e.act(ctx, m.ID, effect.step, func() error { return e.world.affect(m, effect) }); err != nil {
			return err
		}
	}
	return nil
}

// begin looks whether there is anything to be done.
func (e *Engine) begin(ctx context.Context, m engine.Machine, o order) (needed bool, err error) {
	err = e.act(ctx, m.ID, o.begun, func() error {
		h, err := e.world.reach(m.Host)
		if err == nil {
			needed, err = o.ready(h.machine(m.ID))
		}
		return err
	})
	return needed, err
}

// affect has one effect on a machine.
func (w *World) affect(m engine.Machine, effect effect) error {
	h, err := w.reach(m.Host)
	if err != nil {
		return err
	}
	next := h.machine(m.ID)
	if err := effect.apply(&next); err != nil {
		return err
	}
	return w.change(h, next)
}

// fate is what chance does to an order.
type fate struct {
	hangs    bool
	hangsFor time.Duration // zero for until it is given up
	failsAt  int           // before which effect; negative for none
}

func (w *World) fate(o order) fate {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := fate{failsAt: -1}
	if w.chance(w.config.Faults.Hang) {
		f.hangs, f.hangsFor = true, w.within(w.config.Faults.HangFor)
	}
	if w.chance(o.fails) {
		f.failsAt = w.rand.IntN(len(o.effects))
	}
	return f
}

// draw takes a duration from a span.
func (w *World) draw(s Span) time.Duration {
	if s.To == s.From {
		return s.From
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.within(s)
}

// obeysAfter is how long it takes a machine to be off that is asked to.
func (w *World) obeysAfter(grace time.Duration) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.chance(w.config.Faults.Deaf) {
		return grace
	}
	return min(w.within(w.config.Delays.Stop), grace)
}
