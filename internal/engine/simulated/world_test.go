package simulated_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
	"github.com/penstock-cloud/penstock/internal/engine/simulated"
)

// hear has an engine run and returns what it has told so far.
func hear(t *testing.T, e engine.Engine) (told func() []engine.Sighting) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var all []engine.Sighting
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = e.Run(ctx, func(s engine.Sighting) {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, s)
		})
	}()
	t.Cleanup(func() { cancel(); <-ended })
	synctest.Wait()
	return func() []engine.Sighting {
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

func TestSilentHost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := open(t, config())
		e := simulated.New(w, nil)
		m, same, elsewhere := machine(), machine(), machine()
		elsewhere.Host = "rack-8"
		for _, m := range []engine.Machine{m, same, elsewhere} {
			turnOn(t, e, m)
		}
		told := hear(t, e)
		must(t, w.Silence(rack))
		for order, err := range map[string]error{
			"Prepare": e.Prepare(t.Context(), m), "Start": e.Start(t.Context(), m),
			"Stop": e.Stop(t.Context(), m, 0), "Delete": e.Delete(t.Context(), m),
		} {
			if cloud.CodeOf(err) != cloud.CodeUnavailable {
				t.Errorf("%s on a silent host returned %v, want an error of code %s", order, err, cloud.CodeUnavailable)
			}
		}
		must(t, w.Kill(m.ID))
		survey, err := e.Survey(t.Context())
		must(t, err)
		want := engine.Survey{
			Heard:     []string{"rack-8"},
			Sightings: []engine.Sighting{{ID: elsewhere.ID, Host: "rack-8", Power: engine.PowerOn}},
		}
		if d := cmp.Diff(want, survey); d != "" {
			t.Errorf("survey (-want +got)\n%s", d)
		}
		if got := told(); len(got) > 0 {
			t.Errorf("a silent host told of %v", got)
		}
		if hosts, err := e.Hosts(t.Context()); err != nil || len(hosts) != 2 || hosts[0].Name != rack {
			t.Errorf("the hosts are %v, %v; want both, reached or not, by name", hosts, err)
		}
		must(t, w.Hear(rack))
		if got := told(); len(got) != 1 || got[0].ID != m.ID || got[0].Power != engine.PowerFailed {
			t.Errorf("after the silence %v was told, want what happened meanwhile", got)
		}
	})
}

func TestHostNobodyConfigured(t *testing.T) {
	t.Parallel()
	w := open(t, config())
	m := machine()
	m.Host = "rack-9"
	if err := simulated.New(w, nil).Prepare(t.Context(), m); cloud.CodeOf(err) != cloud.CodeUnavailable {
		t.Errorf("got %v, want an error of code %s", err, cloud.CodeUnavailable)
	}
	if err := w.Silence(m.Host); cloud.CodeOf(err) != cloud.CodeNotFound {
		t.Errorf("got %v, want an error of code %s", err, cloud.CodeNotFound)
	}
}

func TestMeddlingWithWhatIsNotThere(t *testing.T) {
	t.Parallel()
	w := open(t, config())
	e, m := simulated.New(w, nil), machine()
	meddle := map[string]func(cloud.ID) error{"Kill": w.Kill, "PowerOffInside": w.PowerOffInside, "TurnOn": w.TurnOn, "Vanish": w.Vanish}
	for name, fn := range meddle {
		if err := fn(m.ID); cloud.CodeOf(err) != cloud.CodeNotFound {
			t.Errorf("%s returned %v, want an error of code %s", name, err, cloud.CodeNotFound)
		}
	}
	must(t, e.Prepare(t.Context(), m))
	for _, name := range []string{"Kill", "PowerOffInside"} {
		if err := meddle[name](m.ID); cloud.CodeOf(err) != cloud.CodeConflict {
			t.Errorf("%s of what is off returned %v, want an error of code %s", name, err, cloud.CodeConflict)
		}
	}
}

func TestTurnedOnByNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := open(t, config())
		e, m := simulated.New(w, nil), machine()
		must(t, e.Prepare(t.Context(), m))
		told := hear(t, e)
		must(t, w.TurnOn(m.ID))
		if d := cmp.Diff([]engine.Sighting{{ID: m.ID, Host: rack, Power: engine.PowerOn}}, told()); d != "" {
			t.Errorf("told (-want +got)\n%s", d)
		}
	})
}

// What vanished leaves a disk and an address, until it is deleted.
func TestVanishedMachineLeavesItsDisk(t *testing.T) {
	t.Parallel()
	w := open(t, config())
	e, m := simulated.New(w, nil), machine()
	turnOn(t, e, m)
	must(t, w.Vanish(m.ID))
	if d := cmp.Diff([]simulated.Place{{Host: rack, ID: m.ID}}, w.Disks()); d != "" {
		t.Errorf("disks (-want +got)\n%s", d)
	}
	if len(w.Machines()) > 0 || w.Addresses()[m.IP] != m.ID {
		t.Errorf("there are the machines %v, addresses %v; want none, and its", w.Machines(), w.Addresses())
	}
	must(t, e.Delete(t.Context(), m))
	wantNothing(t, w)
}

// Machines crash, and are told to have, whether anybody looks at the time or
// not; one that was off meanwhile does not by the date of an earlier boot.
func TestMachinesCrash(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := open(t, config(func(c *simulated.Config) { c.Faults.CrashEvery = time.Hour }))
		e, m, off := simulated.New(w, nil), machine(), machine()
		must(t, e.Prepare(t.Context(), off))
		told := hear(t, e)
		const boots = 200
		var ran time.Duration
		for n := range boots {
			turnOn(t, e, m)
			must(t, e.Stop(t.Context(), m, 0))
			turnOn(t, e, m)
			before := len(told())
			ran += took(func() {
				for len(told()) == before {
					time.Sleep(time.Minute)
				}
			})
			s := told()[before]
			if s.ID != m.ID || s.Power != engine.PowerFailed || s.Reason == "" {
				t.Fatalf("after boot %d %+v was told, want that the machine failed for a reason", n, s)
			}
		}
		if mean := ran / boots; mean < 45*time.Minute || mean > 75*time.Minute {
			t.Errorf("it ran for %v on average, want about 1h", mean)
		}
		wantPower(t, w, off, engine.PowerOff)

		turnOn(t, e, m)
		next := simulated.New(w, nil) // nobody runs it
		time.Sleep(100 * time.Hour)
		survey, err := next.Survey(t.Context())
		must(t, err)
		if i := slices.IndexFunc(survey.Sightings, func(s engine.Sighting) bool { return s.ID == m.ID }); survey.Sightings[i].Power != engine.PowerFailed {
			t.Errorf("after 100 hours the machine is %s", survey.Sightings[i].Power)
		}
	})
}

func TestHostsFallSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := open(t, config(func(c *simulated.Config) {
			c.Faults.SilenceEvery, c.Faults.SilenceFor = time.Hour, simulated.Span{From: 5 * time.Minute, To: 15 * time.Minute}
		}))
		e := simulated.New(w, nil)
		silent, longest := map[string]int{}, map[string]int{}
		run := map[string]int{}
		const minutes = 200 * 60
		for range minutes {
			time.Sleep(time.Minute)
			survey, err := e.Survey(t.Context())
			must(t, err)
			for _, name := range []string{"rack-8", rack} {
				if slices.Contains(survey.Heard, name) {
					run[name] = 0
					continue
				}
				silent[name]++
				run[name]++
				longest[name] = max(longest[name], run[name])
			}
		}
		// Of 70 minutes 10 are silent.
		for name, n := range silent {
			if n < minutes/14 || n > minutes*3/14 {
				t.Errorf("%s was silent for %d of %d minutes", name, n, minutes)
			}
			if longest[name] < 5 || longest[name] > 20 {
				t.Errorf("the longest silence of %s was %d minutes, want up to 15", name, longest[name])
			}
		}
		if len(silent) != 2 {
			t.Errorf("silent were only %v", slices.Collect(maps.Keys(silent)))
		}
	})
}

func TestSameSeedSameChance(t *testing.T) {
	t.Parallel()
	story := func(t *testing.T, seed uint64) (times []time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			e := simulated.New(open(t, config(slow, func(c *simulated.Config) { c.Seed = seed })), nil)
			for range 4 {
				times = append(times, took(func() { turnOn(t, e, machine()) }))
			}
		})
		return times
	}
	if d := cmp.Diff(story(t, 1), story(t, 1)); d != "" {
		t.Errorf("the same seed told another story:\n%s", d)
	}
	if cmp.Equal(story(t, 1), story(t, 2)) {
		t.Error("another seed told the same story")
	}
}
