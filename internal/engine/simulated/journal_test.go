package simulated_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
	"github.com/penstock-cloud/penstock/internal/engine/simulated"
)

// inFile returns a configuration of a World that is kept.
func inFile(t *testing.T) simulated.Config {
	t.Helper()
	return config(func(c *simulated.Config) { c.File = filepath.Join(t.TempDir(), "world") })
}

// everything is what a World has.
type everything struct {
	Machines    []simulated.Machine
	Disks       []simulated.Place
	Addresses   map[string]cloud.ID
	Filesystems []cloud.Filesystem
}

func all(w *simulated.World) everything {
	return everything{w.Machines(), w.Disks(), w.Addresses(), w.Filesystems()}
}

// fill leaves things of all kinds on the hosts, one of them half made, and
// returns a machine that is on.
func fill(t *testing.T, w *simulated.World) engine.Machine {
	t.Helper()
	e := simulated.New(w, nil)
	on, off, failed, gone, vanished := machine(), machine(), machine(), machine(), machine()
	on.GPUs = []string{"0000:65:00.0"}
	secret := "secret"
	on.UserData, on.SSHKeys = &secret, []string{"secret"}
	for _, f := range []engine.Machine{on, off} {
		must(t, e.CreateFilesystem(t.Context(), cloud.Filesystem{ID: f.ID, ProjectID: project, Size: 1 << 30}))
	}
	must(t, e.DeleteFilesystem(t.Context(), cloud.Filesystem{ID: off.ID}))
	for _, m := range []engine.Machine{on, failed, gone, vanished} {
		turnOn(t, e, m)
	}
	must(t, e.Prepare(t.Context(), off))
	must(t, w.Kill(failed.ID))
	must(t, e.Delete(t.Context(), gone))
	must(t, w.Vanish(vanished.ID))
	_ = simulated.New(w, dieAt(simulated.SeedMade)).Prepare(t.Context(), machine())
	return on
}

func TestWorldOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	c := inFile(t)
	first := open(t, c)
	on := fill(t, first)
	before := all(first)
	if len(before.Machines) != 3 || len(before.Disks) != 5 || len(before.Filesystems) != 1 {
		t.Fatalf("the story begins with %+v", before)
	}
	must(t, first.Close())
	for range 2 { // what was opened is written anew, and can be opened again
		next := open(t, c)
		if d := cmp.Diff(before, all(next)); d != "" {
			t.Errorf("after it was opened again (-want +got)\n%s", d)
		}
		must(t, next.Close())
	}
	next := open(t, c)
	e := simulated.New(next, nil)
	rival := machine()
	rival.GPUs = on.GPUs
	must(t, e.Prepare(t.Context(), rival))
	if err := e.Start(t.Context(), rival); err == nil || !strings.Contains(err.Error(), string(on.ID)) {
		t.Errorf("got %v, want the GPU to be that of the machine that was on", err)
	}
	text, err := os.ReadFile(c.File)
	must(t, err)
	if strings.Contains(string(text), "secret") {
		t.Error("the file holds user data or keys")
	}
	if info, err := os.Stat(c.File); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v; want it readable by its owner alone", info.Mode(), err)
	}
}

// A process that is killed leaves the file as it is at some moment: at each of
// them it says what there is.
func TestFileIsUpToDateBetweenAnyTwoSteps(t *testing.T) {
	t.Parallel()
	c, copied := inFile(t), inFile(t)
	w := open(t, c)
	steps := 0
	e := simulated.New(w, func(cloud.ID, simulated.Step) error {
		steps++
		text, err := os.ReadFile(c.File)
		must(t, err)
		must(t, os.WriteFile(copied.File, text, 0o600))
		other := open(t, copied)
		if d := cmp.Diff(all(w), all(other)); d != "" {
			t.Errorf("the file says otherwise (-want +got)\n%s", d)
		}
		return other.Close()
	})
	m := machine()
	turnOn(t, e, m)
	must(t, e.Stop(t.Context(), m, 0))
	must(t, e.Delete(t.Context(), m))
	if steps != 16 {
		t.Errorf("there were %d steps, want 16", steps)
	}
}

func TestHalfALineNeverHappened(t *testing.T) {
	t.Parallel()
	c := inFile(t)
	w := open(t, c)
	m := machine()
	turnOn(t, simulated.New(w, nil), m)
	must(t, w.Close())
	text, err := os.ReadFile(c.File)
	must(t, err)
	must(t, os.WriteFile(c.File, text[:len(text)-3], 0o600))
	next := open(t, c)
	wantPower(t, next, m, engine.PowerOff)
	turnOn(t, simulated.New(next, nil), m)
	must(t, next.Close())
	wantPower(t, open(t, c), m, engine.PowerOn)
}

func TestDamagedFileIsNotTakenForEmpty(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, want string }{
		"no journal":              {"hello\n", "line 1"},
		"of another version":      {`{"version":2}` + "\n", "version 2"},
		"of no version":           {"{}\n", "version 0"},
		"damaged in the middle":   {`{"version":1}` + "\n{\"machine\n{}\n", "line 2"},
		"of a newer program":      {`{"version":1}` + "\n{\"cluster\":{}}\n", "line 2"},
		"with a machine of no id": {`{"version":1}` + "\n{\"machine\":{\"host\":\"rack-7\"}}\n", "line 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := inFile(t)
			must(t, os.WriteFile(c.File, []byte(tt.text), 0o600))
			for range 2 { // the first has let go of the file
				if _, err := simulated.Open(c); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), c.File) {
					t.Errorf("got %v, want an error that names %s and the file", err, tt.want)
				}
			}
			if text, err := os.ReadFile(c.File); err != nil || string(text) != tt.text {
				t.Errorf("the file has become %q, %v", text, err)
			}
		})
	}
}

func TestOneProcessHasTheFile(t *testing.T) {
	t.Parallel()
	c := inFile(t)
	w := open(t, c)
	if _, err := simulated.Open(c); cloud.CodeOf(err) != cloud.CodeConflict || !strings.Contains(err.Error(), c.File) {
		t.Errorf("got %v, want an error of code %s that names the file", err, cloud.CodeConflict)
	}
	must(t, w.Close())
	open(t, c)
	if err := simulated.New(w, nil).Prepare(t.Context(), machine()); err == nil {
		t.Error("a World that was closed takes orders that it cannot keep")
	}
	wantNothing(t, w)
}

func TestFileDoesNotOnlyGrow(t *testing.T) {
	t.Parallel()
	c := inFile(t)
	w := open(t, c)
	e, m := simulated.New(w, nil), machine()
	var largest int64
	for range 3000 {
		turnOn(t, e, m)
		must(t, e.Stop(t.Context(), m, 0))
		info, err := os.Stat(c.File)
		must(t, err)
		largest = max(largest, info.Size())
	}
	if largest < 100_000 || largest > 500_000 {
		t.Errorf("of 6,000 changes to one machine the file grew to %d bytes", largest)
	}
	files, err := filepath.Glob(c.File + "*")
	must(t, err)
	if d := cmp.Diff([]string{c.File, c.File + ".lock"}, files); d != "" {
		t.Errorf("files (-want +got)\n%s", d)
	}
	before := all(w)
	must(t, w.Close())
	if d := cmp.Diff(before, all(open(t, c))); d != "" {
		t.Errorf("after it was opened again (-want +got)\n%s", d)
	}
}

// A host that is taken out of the configuration is not reached, and keeps what
// it had for when it is back.
func TestHostLeavesTheConfiguration(t *testing.T) {
	t.Parallel()
	c := inFile(t)
	w := open(t, c)
	m := machine()
	turnOn(t, simulated.New(w, nil), m)
	must(t, w.Close())

	without := c
	without.Hosts = c.Hosts[:1]
	w = open(t, without)
	e := simulated.New(w, nil)
	survey, err := e.Survey(t.Context())
	must(t, err)
	if d := cmp.Diff(engine.Survey{Heard: []string{"rack-8"}, Sightings: []engine.Sighting{}}, survey); d != "" {
		t.Errorf("survey (-want +got)\n%s", d)
	}
	if err := e.Delete(t.Context(), m); cloud.CodeOf(err) != cloud.CodeUnavailable {
		t.Errorf("Delete returned %v, want an error of code %s", err, cloud.CodeUnavailable)
	}
	must(t, w.Close())
	wantWhole(t, open(t, c), m)
}
