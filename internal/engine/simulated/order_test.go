package simulated_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
	"github.com/penstock-cloud/penstock/internal/engine/simulated"
)

// must stands for an order that is to succeed.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// turnOn has a machine run.
func turnOn(t *testing.T, e engine.Engine, m engine.Machine) {
	t.Helper()
	must(t, e.Prepare(t.Context(), m))
	must(t, e.Start(t.Context(), m))
}

// took is how long a call takes, of the bubble's time.
func took(call func()) time.Duration {
	begun := time.Now()
	call()
	return time.Since(begun)
}

func TestOrdersTakeTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		delays := config(slow).Delays
		e := simulated.New(open(t, config(slow)), nil)
		seen := map[time.Duration]bool{}
		within := func(order string, s simulated.Span, call func() error) {
			t.Helper()
			d := took(func() { must(t, call()) })
			if d < s.From || d > s.To {
				t.Errorf("%s took %v, want %v to %v", order, d, s.From, s.To)
			}
			seen[d] = true
			if d := took(func() { must(t, call()) }); d != 0 {
				t.Errorf("%s with nothing to do took %v", order, d)
			}
		}
		for range 4 {
			m := machine()
			within("Prepare", delays.Prepare, func() error { return e.Prepare(t.Context(), m) })
			within("Start", delays.Start, func() error { return e.Start(t.Context(), m) })
			within("Stop", delays.Stop, func() error { return e.Stop(t.Context(), m, time.Minute) })
			must(t, e.Start(t.Context(), m))
			if d := took(func() { must(t, e.Stop(t.Context(), m, time.Second)) }); d != time.Second {
				t.Errorf("Stop with a grace of 1s took %v", d)
			}
			within("Delete", delays.Delete, func() error { return e.Delete(t.Context(), m) })
		}
		if len(seen) < 8 {
			t.Errorf("16 orders took only %d different times", len(seen))
		}
	})
}

func TestDeafMachineIsCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := open(t, config(slow, func(c *simulated.Config) { c.Faults.Deaf = 1 }))
		e, m := simulated.New(w, nil), machine()
		turnOn(t, e, m)
		if d := took(func() { must(t, e.Stop(t.Context(), m, 90*time.Second)) }); d != 90*time.Second {
			t.Errorf("Stop took %v, want the whole grace", d)
		}
		wantPower(t, w, m, engine.PowerOff)
	})
}

func wantPower(t *testing.T, w *simulated.World, m engine.Machine, want engine.Power) {
	t.Helper()
	for _, there := range w.Machines() {
		if there.ID == m.ID {
			if there.Power != want {
				t.Errorf("the machine is %s, want %s", there.Power, want)
			}
			return
		}
	}
	if want != engine.PowerGone {
		t.Errorf("the machine is not there, want %s", want)
	}
}

// A Delete does not wait until the grace of a Stop has passed, and the Stop
// finds its work done.
func TestDeleteOvertakesStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := open(t, config(func(c *simulated.Config) { c.Faults.Deaf = 1 }))
		e, m := simulated.New(w, nil), machine()
		turnOn(t, e, m)
		stopped := make(chan error, 1)
		go func() { stopped <- e.Stop(t.Context(), m, time.Hour) }()
		synctest.Wait()
		if d := took(func() { must(t, e.Delete(t.Context(), m)) }); d != 0 {
			t.Errorf("Delete took %v", d)
		}
		must(t, <-stopped)
		wantNothing(t, w)
	})
}

// Whatever is half made belongs to one order: a Delete of it waits.
func TestDeleteWaitsForPrepare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, m := open(t, config()), machine()
		var e *simulated.Engine
		deleted := make(chan error, 1)
		e = simulated.New(w, func(_ cloud.ID, step simulated.Step) error {
			if step == simulated.SeedMade {
				go func() { deleted <- e.Delete(t.Context(), m) }()
				time.Sleep(time.Minute) // for as long as it wants
			}
			return nil
		})
		must(t, e.Prepare(t.Context(), m))
		must(t, <-deleted)
		wantNothing(t, w)
	})
}

// Who waits for a machine does so for no longer than it was asked to.
func TestTurnIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := simulated.New(open(t, config(func(c *simulated.Config) { c.Faults.Hang = 1 })), nil)
		m := machine()
		hanging, giveUp := context.WithCancel(t.Context())
		hung := make(chan error, 1)
		go func() { hung <- e.Prepare(hanging, m) }()
		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := e.Delete(short, m); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Delete behind an order that hangs returned %v", err)
		}
		giveUp()
		if err := <-hung; !errors.Is(err, context.Canceled) {
			t.Errorf("the order that hung returned %v", err)
		}
		must(t, e.Delete(t.Context(), m)) // there is nothing to hang at
	})
}

// wantNothing holds a World to be as empty as in the beginning.
func wantNothing(t *testing.T, w *simulated.World) {
	t.Helper()
	if left := all(w); len(left.Machines)+len(left.Disks)+len(left.Addresses)+len(left.Filesystems) > 0 {
		t.Errorf("left behind was %+v", left)
	}
}

func TestOrderThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hang := func(c *simulated.Config) { c.Faults.Hang = 1 }
		e := simulated.New(open(t, config(hang)), nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if d := took(func() {
			if err := e.Prepare(ctx, machine()); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("an order that hung returned %v", err)
			}
		}); d != time.Hour {
			t.Errorf("it hung for %v, want until it was called off", d)
		}
		e = simulated.New(open(t, config(hang, func(c *simulated.Config) {
			c.Faults.HangFor = simulated.Span{From: time.Minute, To: time.Minute}
		})), nil)
		if d := took(func() { must(t, e.Prepare(t.Context(), machine())) }); d != time.Minute {
			t.Errorf("it hung for %v, want 1m", d)
		}
	})
}

// One of two tries fails, wherever in the order; those after it complete what
// was half done, and nothing is left of it at the end.
func TestOrdersFail(t *testing.T) {
	t.Parallel()
	w := open(t, config(func(c *simulated.Config) {
		c.Faults = simulated.Faults{Prepare: 0.5, Start: 0.5, Stop: 0.5, Delete: 0.5}
	}))
	e := simulated.New(w, nil)
	failures := map[string]int{}
	persist := func(order string, call func() error) {
		t.Helper()
		for {
			err := call()
			if err == nil {
				return
			}
			if cloud.CodeOf(err) != "" {
				t.Fatalf("%s failed with a code: %v", order, err)
			}
			failures[order]++
		}
	}
	halfMade := 0
	for range 50 {
		m := machine()
		persist("prepare", func() error {
			err := e.Prepare(t.Context(), m)
			if err != nil && len(w.Disks()) > len(w.Machines()) {
				halfMade++
			}
			return err
		})
		persist("start", func() error { return e.Start(t.Context(), m) })
		wantPower(t, w, m, engine.PowerOn)
		persist("stop", func() error { return e.Stop(t.Context(), m, 0) })
		wantPower(t, w, m, engine.PowerOff)
		persist("delete", func() error { return e.Delete(t.Context(), m) })
		wantNothing(t, w)
	}
	for _, order := range []string{"prepare", "start", "stop", "delete"} {
		if failures[order] < 20 || failures[order] > 100 {
			t.Errorf("%s failed %d times until it succeeded 50 times, want about 50", order, failures[order])
		}
	}
	if halfMade == 0 {
		t.Error("no Prepare failed half way")
	}
}

// A host gives no more than it has, whatever the region believes.
func TestHostHasOnlySoMuchRoom(t *testing.T) {
	t.Parallel()
	e := simulated.New(open(t, config()), nil)
	var full []engine.Machine
	for range 4 {
		m := machine()
		turnOn(t, e, m)
		full = append(full, m)
	}
	last := machine()
	must(t, e.Prepare(t.Context(), last)) // takes no room
	refused := func(what string, m engine.Machine) {
		t.Helper()
		if err := e.Start(t.Context(), m); err == nil || cloud.CodeOf(err) != "" || !strings.Contains(err.Error(), what) {
			t.Errorf("got %v, want an error for the operator that speaks of %s", err, what)
		}
	}
	refused("processors", last)
	must(t, e.Stop(t.Context(), full[0], 0))
	must(t, e.Start(t.Context(), last))

	large := machine()
	large.Host, large.Type.Memory = "rack-8", 65<<30
	must(t, e.Prepare(t.Context(), large))
	refused("memory", large)
}

func TestGPUIsOneMachines(t *testing.T) {
	t.Parallel()
	w := open(t, config())
	e := simulated.New(w, nil)
	one, other := machine(), machine()
	one.GPUs, other.GPUs = []string{"0000:65:00.0"}, []string{"0000:65:00.0"}
	turnOn(t, e, one)
	must(t, e.Prepare(t.Context(), other))
	if err := e.Start(t.Context(), other); err == nil || !strings.Contains(err.Error(), string(one.ID)) {
		t.Errorf("got %v, want an error that says whose the GPU is", err)
	}
	other.GPUs = []string{"0000:67:00.0"}
	if err := e.Start(t.Context(), other); err == nil || !strings.Contains(err.Error(), "no GPU") {
		t.Errorf("got %v, want an error that there is no such GPU", err)
	}
	other.GPUs = []string{"0000:66:00.0"} // which it may be given while it is off
	must(t, e.Start(t.Context(), other))
	must(t, w.Kill(one.ID))
	must(t, e.Stop(t.Context(), other, 0))
	other.GPUs = []string{"0000:65:00.0", "0000:66:00.0"}
	must(t, e.Start(t.Context(), other))
}

func TestAddressIsOneMachines(t *testing.T) {
	t.Parallel()
	w := open(t, config())
	e := simulated.New(w, nil)
	one, other := machine(), machine()
	other.Host, other.IP = "rack-8", one.IP
	must(t, e.Prepare(t.Context(), one))
	if err := e.Prepare(t.Context(), other); err == nil || !strings.Contains(err.Error(), one.IP) {
		t.Errorf("got %v, want an error that names the address", err)
	}
	if d := cmp.Diff(map[string]cloud.ID{one.IP: one.ID}, w.Addresses()); d != "" {
		t.Errorf("addresses (-want +got)\n%s", d)
	}
	must(t, e.Delete(t.Context(), one))
	must(t, e.Prepare(t.Context(), other))
}

func TestMachineNeedsItsFilesystems(t *testing.T) {
	t.Parallel()
	w := open(t, config())
	e, m := simulated.New(w, nil), machine()
	f := cloud.Filesystem{ID: m.ID, ProjectID: project, Name: "data", Size: 512 << 30, State: cloud.FilesystemActive}
	m.Filesystems = []cloud.ID{f.ID}
	if err := e.Prepare(t.Context(), m); err == nil || !strings.Contains(err.Error(), "filesystem") {
		t.Errorf("got %v, want an error that there is no such filesystem", err)
	}
	must(t, e.CreateFilesystem(t.Context(), f))
	must(t, e.Prepare(t.Context(), m))
	if d := cmp.Diff([]cloud.Filesystem{{ID: f.ID, ProjectID: project, Size: f.Size}}, w.Filesystems()); d != "" {
		t.Errorf("filesystems (-want +got)\n%s", d)
	}
	must(t, e.DeleteFilesystem(t.Context(), f))
	if left := w.Filesystems(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	f.Size = 0
	if err := e.CreateFilesystem(t.Context(), f); cloud.CodeOf(err) != cloud.CodeInvalid {
		t.Errorf("a filesystem of no size: got %v, want an error of code %s", err, cloud.CodeInvalid)
	}
}

var errKilled = errors.New("the daemon was killed")

// dieAt returns a New's between, for a daemon that is killed at a step.
func dieAt(at simulated.Step) func(cloud.ID, simulated.Step) error {
	return func(_ cloud.ID, step simulated.Step) error {
		if step == at {
			return errKilled
		}
		return nil
	}
}

// Wherever the daemon dies, what it was doing goes no further; and the next one
// completes it, or undoes it.
func TestDaemonDiesBetweenTwoSteps(t *testing.T) {
	t.Parallel()
	for _, step := range []simulated.Step{
		simulated.Prepare, simulated.DiskMade, simulated.SeedMade, simulated.NetworkJoined, simulated.Defined,
		simulated.Start, simulated.PoweredOn,
		simulated.Stop, simulated.Asked, simulated.PoweredOff,
		simulated.Delete, simulated.Cut, simulated.Undefined, simulated.NetworkLeft, simulated.SeedRemoved, simulated.DiskRemoved,
		simulated.CreateFilesystem, simulated.FilesystemMade, simulated.DeleteFilesystem, simulated.FilesystemRemoved,
	} {
		t.Run(string(step), func(t *testing.T) {
			t.Parallel()
			w, m := open(t, config()), machine()
			f := cloud.Filesystem{ID: m.ID, ProjectID: project, Size: 1 << 30}
			live := func(e engine.Engine) error {
				return firstError(
					func() error { return e.Prepare(t.Context(), m) },
					func() error { return e.Start(t.Context(), m) },
					func() error { return e.Stop(t.Context(), m, 0) },
					func() error { return e.Start(t.Context(), m) },
					func() error { return e.Delete(t.Context(), m) },
					func() error { return e.CreateFilesystem(t.Context(), f) },
					func() error { return e.DeleteFilesystem(t.Context(), f) },
				)
			}
			dead := simulated.New(w, dieAt(step))
			if err := live(dead); !errors.Is(err, errKilled) {
				t.Fatalf("the daemon lived past %q: %v", step, err)
			}
			before := all(w)
			if err := live(dead); !errors.Is(err, errKilled) {
				t.Errorf("a dead daemon answered %v", err)
			}
			if _, err := dead.Survey(t.Context()); !errors.Is(err, errKilled) {
				t.Errorf("a dead daemon's Survey answered %v", err)
			}
			if err := dead.Run(t.Context(), nil); !errors.Is(err, errKilled) {
				t.Errorf("a dead daemon's Run answered %v", err)
			}
			if d := cmp.Diff(before, all(w)); d != "" {
				t.Errorf("a dead daemon changed the World:\n%s", d)
			}
			next := simulated.New(w, nil)
			turnOn(t, next, m)
			wantWhole(t, w, m)
			must(t, next.Delete(t.Context(), m))
			must(t, next.DeleteFilesystem(t.Context(), f))
			wantNothing(t, w)
		})
	}
}

func firstError(calls ...func() error) error {
	for _, call := range calls {
		if err := call(); err != nil {
			return err
		}
	}
	return nil
}

// wantWhole holds a World to have these machines, on, with all they need, and
// nothing else.
func wantWhole(t *testing.T, w *simulated.World, machines ...engine.Machine) {
	t.Helper()
	wanted, disks, addresses := map[cloud.ID]string{}, map[simulated.Place]bool{}, map[string]cloud.ID{}
	for _, m := range machines {
		wanted[m.ID], disks[simulated.Place{Host: m.Host, ID: m.ID}], addresses[m.IP] = m.Host, true, m.ID
	}
	for _, there := range w.Machines() {
		if host, found := wanted[there.ID]; !found || host != there.Host || there.Power != engine.PowerOn || !there.Disk || !there.Seed || !there.Network {
			t.Errorf("there is %+v, want it whole, on, and on %q", there, host)
		}
	}
	if got := len(w.Machines()); got != len(wanted) {
		t.Errorf("there are %d machines, want %d", got, len(wanted))
	}
	for _, place := range w.Disks() {
		if !disks[place] {
			t.Errorf("there is a disk at %v, of nobody", place)
		}
	}
	if d := cmp.Diff(addresses, w.Addresses()); d != "" {
		t.Errorf("addresses (-want +got)\n%s", d)
	}
}

// What one order was doing when the daemon died under another one has no
// effect either.
func TestDaemonDiesWithAllItsOrders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := open(t, config(slow))
		e := simulated.New(w, dieAt(simulated.PoweredOff))
		m, other := machine(), machine()
		turnOn(t, e, m)
		prepared, ran := make(chan error, 1), make(chan error, 1)
		go func() { prepared <- e.Prepare(t.Context(), other) }()
		go func() { ran <- e.Run(t.Context(), func(engine.Sighting) {}) }()
		synctest.Wait()
		if err := e.Stop(t.Context(), m, 0); !errors.Is(err, errKilled) {
			t.Errorf("Stop returned %v", err)
		}
		for what, end := range map[string]chan error{"Prepare": prepared, "Run": ran} {
			if err := <-end; !errors.Is(err, errKilled) {
				t.Errorf("%s under way returned %v", what, err)
			}
		}
		if disks := w.Disks(); len(disks) != 1 {
			t.Errorf("there are the disks %v, want one", disks)
		}
	})
}

// Five hundred daemons die, each at some step of what eight machines go through
// at once; the last one finds all of it in order.
func TestManyDaemonsDie(t *testing.T) {
	t.Parallel()
	w := open(t, config(func(c *simulated.Config) { c.File = filepath.Join(t.TempDir(), "world") }))
	chance := rand.New(rand.NewPCG(7, 0))
	var fleet []engine.Machine
	for i := range 8 {
		m := machine()
		m.Host = []string{rack, "rack-8"}[i%2]
		fleet = append(fleet, m)
	}
	const deaths = 500
	reached := map[simulated.Step]bool{}
	for range deaths {
		reached[dieAfter(t, w, fleet, chance.Int64N(100))] = true
	}
	if len(reached) < 14 {
		t.Errorf("daemons died only at %d kinds of steps", len(reached))
	}
	last := simulated.New(w, nil)
	for _, m := range fleet {
		turnOn(t, last, m)
	}
	wantWhole(t, w, fleet...)
	for _, m := range fleet {
		must(t, last.Delete(t.Context(), m))
	}
	wantNothing(t, w)
}

// dieAfter has a daemon lead every machine through its life, until it dies after
// so many steps. It returns the last.
func dieAfter(t *testing.T, w *simulated.World, fleet []engine.Machine, steps int64) (last simulated.Step) {
	t.Helper()
	var taken atomic.Int64
	e := simulated.New(w, func(_ cloud.ID, step simulated.Step) error {
		n := taken.Add(1)
		if n == steps+1 {
			last = step
		}
		if n > steps {
			return errKilled
		}
		return nil
	})
	var lives sync.WaitGroup
	for _, m := range fleet {
		lives.Go(func() {
			for {
				if err := firstError(
					func() error { return e.Prepare(t.Context(), m) },
					func() error { return e.Start(t.Context(), m) },
					func() error { return e.Stop(t.Context(), m, 0) },
					func() error { return e.Delete(t.Context(), m) },
				); err != nil {
					if !errors.Is(err, errKilled) {
						t.Errorf("a daemon that lived was answered %v", err)
					}
					return
				}
			}
		})
	}
	lives.Wait()
	return last
}
