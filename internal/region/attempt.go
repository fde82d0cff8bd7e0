package region

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// mostFailures is how often in a row a machine may fail to be made or started,
// before it is in error.
const mostFailures = 4

// orderLimit is how long an engine may take to do anything. One that takes
// longer has failed, and may be asked again.
const orderLimit = 5 * time.Minute

// attempt takes the next step of a machine, and has the one after it taken, or
// this one again.
func (r *Reconciler) attempt(ctx context.Context, id cloud.ID) {
	m, err := r.machine(ctx, id)
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		r.agenda.succeeded(id)
		r.agenda.done(id, false)
		return
	}
	taken := stepNone
	if err == nil {
		if taken = nextStep(m); taken != stepPlace {
			r.waiting.remove(id)
		}
		err = r.take(ctx, m, taken)
	}
	if err == nil {
		r.agenda.succeeded(id)
		r.agenda.done(id, taken != stepNone && !r.waiting.has(id))
		return
	}
	r.giveUp(ctx, id, taken, err)
}

func (r *Reconciler) machine(ctx context.Context, id cloud.ID) (m cloud.Machine, err error) {
	err = r.Region.Read(ctx, func(tx cloud.RegionReader) error {
		m, err = tx.Machine(id)
		return err
	})
	return m, err
}

// take takes a step: what the engine does, and then the transaction that writes
// down that it is done. A crash between the two has it done again.
func (r *Reconciler) take(ctx context.Context, m cloud.Machine, s step) error {
	ctx, cancel := context.WithTimeout(ctx, orderLimit)
	defer cancel()
	switch s {
	case stepNone:
		return nil
	case stepPlace:
		return r.place(ctx, m.ID)
	case stepPrepare:
		return r.order(ctx, m, r.Engine.Prepare, prepared)
	case stepStart:
		return r.start(ctx, m)
	case stepStop:
		return r.stop(ctx, m)
	case stepDelete:
		return r.delete(ctx, m)
	}
	return fmt.Errorf("no step %q", s)
}

func (r *Reconciler) start(ctx context.Context, m cloud.Machine) error {
	err := r.order(ctx, m, r.Engine.Start, started)
	if cloud.CodeOf(err) != cloud.CodeNotFound {
		return err
	}
	// The engine has lost it; its next step makes it anew.
	return r.become(ctx, m.ID, func(m cloud.Machine) cloud.Machine {
		m.Prepared = false
		return m
	})
}

func (r *Reconciler) stop(ctx context.Context, m cloud.Machine) error {
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	r.agenda.interruptible(m.ID, cancel)
	halt := func(_ context.Context, em engine.Machine) error {
		if m.Host == "" { // no engine ever heard of it
			return nil
		}
		return r.Engine.Stop(within, em, stopGrace)
	}
	err := r.order(ctx, m, halt, stopped)
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		return nil // it was interrupted; the next step is another one
	}
	if err == nil {
		r.vacated(ctx)
	}
	return err
}

func (r *Reconciler) delete(ctx context.Context, m cloud.Machine) error {
	if m.Host != "" {
		if err := r.Engine.Delete(ctx, engineMachine(m)); err != nil {
			return err
		}
	}
	err := r.Region.change(ctx, func(c *change) error {
		now, err := c.Machine(m.ID)
		if err != nil {
			return err
		}
		return c.remove(now)
	})
	if err != nil {
		return err
	}
	r.waiting.remove(m.ID)
	if m.IP != "" {
		r.addresses.free(m.IP)
	}
	r.vacated(ctx)
	return nil
}

// order has the engine do something, and writes down what the machine became by
// it.
func (r *Reconciler) order(ctx context.Context, m cloud.Machine, do func(context.Context, engine.Machine) error, became func(cloud.Machine) cloud.Machine) error {
	if err := do(ctx, engineMachine(m)); err != nil {
		return err
	}
	return r.become(ctx, m.ID, became)
}

func (r *Reconciler) become(ctx context.Context, id cloud.ID, became func(cloud.Machine) cloud.Machine) error {
	return r.Region.change(ctx, func(c *change) error {
		m, err := c.Machine(id)
		if err != nil {
			return err
		}
		return c.put(became(m))
	})
}

func engineMachine(m cloud.Machine) engine.Machine {
	return engine.Machine{ID: m.ID, ProjectID: m.ProjectID, Host: m.Host, MachineSpec: m.MachineSpec, IP: m.IP, GPUs: m.GPUs}
}

// giveUp has a step that failed taken again later, or has the machine be in
// error where that is of no use. What is to be stopped or deleted is tried for
// ever: it has a share of a host.
func (r *Reconciler) giveUp(ctx context.Context, id cloud.ID, s step, cause error) {
	if ctx.Err() != nil {
		return // of this process; the next one goes on
	}
	failures := r.agenda.failed(id)
	making := s == stepPlace || s == stepPrepare || s == stepStart
	reason, hopeless := verdict(s, cause, failures)
	if making && hopeless {
		r.Log.WarnContext(ctx, "an instance could not be had to run", "instance", id, "step", s, "error", cloud.Explain(cause))
		err := r.become(ctx, id, func(m cloud.Machine) cloud.Machine {
			if m.Goal != cloud.GoalRunning {
				return m
			}
			return failed(m, reason)
		})
		if err == nil {
			r.agenda.succeeded(id)
			r.agenda.done(id, true)
			return
		}
		cause = errors.Join(cause, err)
	}
	r.Log.InfoContext(ctx, "a step of an instance failed; trying again", "instance", id, "step", s, "failures", failures, "error", cloud.Explain(cause))
	r.agenda.done(id, false)
	go func() {
		select {
		case <-ctx.Done():
		case <-r.Region.after(backoff(failures)):
			r.Wake(id)
		}
	}()
}

// verdict tells whether a failure is final, and what the tenant is told then.
func verdict(s step, cause error, failures int) (reason string, hopeless bool) {
	code := cloud.CodeOf(cause)
	if code == cloud.CodeUnavailable {
		return "", false
	}
	var refusal *cloud.Error
	if (code == cloud.CodeInvalid || code == cloud.CodeUnimplemented) && errors.As(cause, &refusal) {
		return refusal.Message, true
	}
	return fmt.Sprintf("the region could not %s it; its operator's log says why", s), failures >= mostFailures
}
