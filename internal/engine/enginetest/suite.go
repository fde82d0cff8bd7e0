package enginetest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// Subject is an engine under test that takes orders.
type Subject struct {
	// Begin returns what one test works with.
	Begin func(t *testing.T) Bench
	// Within runs a test in the surroundings that the engine needs, as
	// synctest.Test does; nil means none.
	Within func(t *testing.T, test func(*testing.T))
	// Serial keeps the tests from running side by side.
	Serial bool
}

// Bench is an engine's hosts, and what can be done on them behind its back.
// There may be machines of others.
type Bench struct {
	// Open returns the engine of a daemon that was just started. All that one
	// Bench opens have the same hosts.
	Open func(t *testing.T) engine.Engine
	// Machine returns one that fits, and that nobody has heard of: with an id
	// and an address of its own, on a host whose name is no common word.
	Machine func(t *testing.T) engine.Machine

	// Kill ends a machine that is on, as a crash does; PowerOff as its user
	// does, from inside; Vanish has its host forget it, on or off.
	Kill, PowerOff, Vanish func(t *testing.T, m engine.Machine)

	// Grace is how long a machine has at most to turn itself off, and Patience
	// how long it may take at most that an engine tells of what has happened.
	Grace, Patience time.Duration
}

// TestEngine runs the suite of engine.Engine.
func TestEngine(t *testing.T, s Subject) {
	t.Helper()
	for _, story := range []struct {
		name string
		test func(*testing.T, stage)
	}{
		{"says what it has", testInventoryOfEngine},
		{"lives and goes", testLife},
		{"deletes what is on", testDeleteOn},
		{"leaves others alone", testOthers},
		{"repeats an order", testRepetition},
		{"is ordered what is not there", testNotThere},
		{"tells of a machine that was killed", testKilled},
		{"tells of a machine that was turned off inside", testPoweredOff},
		{"tells of a machine that vanished", testVanished},
		{"is started again", testReopened},
		{"ends when told to", testEngineEnds},
		{"is given an order that was called off", testCancelled},
		{"is given two orders at once", testTwoAtOnce},
		{"knows its images", testImages},
		{"has filesystems or says that it has none", testFilesystems},
	} {
		t.Run(story.name, func(t *testing.T) {
			if !s.Serial {
				t.Parallel()
			}
			test := func(t *testing.T) {
				bench := s.Begin(t)
				story.test(t, stage{Bench: bench, engine: bench.Open(t)})
			}
			if s.Within != nil {
				s.Within(t, test)
				return
			}
			test(t)
		})
	}
}

// stage is a Bench with the engine that most of a story is about.
type stage struct {
	Bench
	engine engine.Engine
}

// machine returns one of which nothing will be left after the test.
func (s stage) machine(t *testing.T) engine.Machine {
	t.Helper()
	m := s.Machine(t)
	t.Cleanup(func() {
		if err := s.engine.Delete(context.WithoutCancel(t.Context()), m); err != nil {
			t.Errorf("Delete after the test: %v", err)
		}
	})
	return m
}

func (s stage) prepare(t *testing.T, m engine.Machine) {
	t.Helper()
	if err := s.engine.Prepare(t.Context(), m); err != nil {
		t.Fatalf("Prepare: %v", err)
	}
}

// start prepares a machine and turns it on, whatever there is of it.
func (s stage) start(t *testing.T, m engine.Machine) {
	t.Helper()
	s.prepare(t, m)
	if err := s.engine.Start(t.Context(), m); err != nil {
		t.Fatalf("Start: %v", err)
	}
}

func (s stage) stop(t *testing.T, m engine.Machine, grace time.Duration) {
	t.Helper()
	if err := s.engine.Stop(t.Context(), m, grace); err != nil {
		t.Fatalf("Stop: %v", err)
	}
}

func (s stage) delete(t *testing.T, m engine.Machine) {
	t.Helper()
	if err := s.engine.Delete(t.Context(), m); err != nil {
		t.Fatalf("Delete: %v", err)
	}
}

// wantSeen holds a survey to what it is to say of a machine; nothing where
// PowerGone is wanted.
func (s stage) wantSeen(t *testing.T, when string, m engine.Machine, want engine.Power) {
	t.Helper()
	survey, err := s.engine.Survey(t.Context())
	if err != nil {
		t.Fatalf("Survey %s: %v", when, err)
	}
	if !slices.Contains(survey.Heard, m.Host) {
		t.Errorf("%s, the host %s was not heard; heard were %q", when, m.Host, survey.Heard)
	}
	got, times := engine.PowerGone, 0
	for _, sighting := range survey.Sightings {
		if sighting.ID != m.ID {
			continue
		}
		times++
		got = sighting.Power
		if sighting.Host != m.Host {
			t.Errorf("%s, the machine was seen on %q, want %q", when, sighting.Host, m.Host)
		}
	}
	wantTimes := 1
	if want == engine.PowerGone {
		wantTimes = 0
	}
	if got != want || times != wantTimes {
		t.Errorf("%s, the machine was seen %d times, as %s; want %d times, as %s", when, times, got, wantTimes, want)
	}
}

// witness is who hears what an engine tells.
type witness struct {
	mu   sync.Mutex
	told []engine.Sighting
	news chan struct{}
}

// watch has the engine run until the test ends, or end is called.
func watch(t *testing.T, e engine.Engine) (w *witness, end func()) {
	t.Helper()
	w = &witness{news: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx, w.tell) }()
	end = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run returned %v, want context.Canceled", err)
		}
	})
	t.Cleanup(end)
	return w, end
}

func (w *witness) tell(s engine.Sighting) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, s)
	select {
	case w.news <- struct{}{}:
	default: // somebody will look anyway
	}
}

// since returns what was told after the first so many, and how many that are
// in all.
func (w *witness) since(count int) ([]engine.Sighting, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.told[count:]), len(w.told)
}

// await waits until it is told, after the first so many, that a machine is as
// it should be.
func (w *witness) await(m engine.Machine, want engine.Power, count int, patience time.Duration) (engine.Sighting, bool) {
	enough := time.After(patience)
	for {
		var told []engine.Sighting
		told, count = w.since(count)
		for _, s := range told {
			if s.ID == m.ID && s.Power == want {
				return s, true
			}
		}
		select {
		case <-w.news:
		case <-enough:
			return engine.Sighting{}, false
		}
	}
}

// wantTold lets something happen to a machine that is on, and waits until the
// engine tells of it. It may take it some while to be in touch with its hosts:
// what happens before that is not told, and so it is made to happen again.
func (s stage) wantTold(t *testing.T, m engine.Machine, happen func(*testing.T, engine.Machine), want engine.Power) engine.Sighting {
	t.Helper()
	const tries = 3
	w, _ := watch(t, s.engine)
	for range tries {
		s.start(t, m)
		_, before := w.since(0)
		happen(t, m)
		if told, found := w.await(m, want, before, s.Patience/tries); found {
			if told.Host != m.Host {
				t.Errorf("the machine was told to be on %q, want %q", told.Host, m.Host)
			}
			return told
		}
	}
	told, _ := w.since(0)
	t.Fatalf("it was not told that the machine is %s; told was %v", want, told)
	return engine.Sighting{}
}

func testInventoryOfEngine(t *testing.T, s stage) {
	hosts, err := s.engine.Hosts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(hosts))
	for i, h := range hosts {
		names[i] = h.Name
		if h.Name == "" || h.Name == cloud.SourceRegion || len(h.Name) > engine.MaxSourceName || h.CPU < 1 || h.Memory < 1 {
			t.Errorf("the host %+v has no proper name or nothing to give", h)
		}
	}
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("the hosts are %q, want each once, by name", names)
	}
	if m := s.Machine(t); !slices.Contains(names, m.Host) {
		t.Errorf("the hosts are %q, without %s on which there are machines", names, m.Host)
	}
	if first, second := s.engine.Features(), s.engine.Features(); first != second {
		t.Errorf("the features were %+v and then %+v", first, second)
	}
}

func testLife(t *testing.T, s stage) {
	m := s.machine(t)
	s.wantSeen(t, "before anything", m, engine.PowerGone)
	s.prepare(t, m)
	s.wantSeen(t, "prepared", m, engine.PowerOff)
	s.start(t, m)
	s.wantSeen(t, "started", m, engine.PowerOn)
	s.stop(t, m, s.Grace)
	s.wantSeen(t, "stopped", m, engine.PowerOff)
	s.start(t, m)
	s.wantSeen(t, "started again", m, engine.PowerOn)
	s.stop(t, m, 0)
	s.wantSeen(t, "stopped without any grace", m, engine.PowerOff)
	s.delete(t, m)
	s.wantSeen(t, "deleted", m, engine.PowerGone)
}

func testDeleteOn(t *testing.T, s stage) {
	m := s.machine(t)
	s.start(t, m)
	s.delete(t, m)
	s.wantSeen(t, "deleted", m, engine.PowerGone)
	if err := s.engine.Start(t.Context(), m); cloud.CodeOf(err) != cloud.CodeNotFound {
		t.Errorf("Start of what was deleted returned %v, want an error of code %s", err, cloud.CodeNotFound)
	}
	s.start(t, m)
	s.wantSeen(t, "made again", m, engine.PowerOn)
}

func testOthers(t *testing.T, s stage) {
	one, other := s.machine(t), s.machine(t)
	s.start(t, one)
	s.start(t, other)
	s.stop(t, one, 0)
	s.wantSeen(t, "after a neighbour was stopped", other, engine.PowerOn)
	s.delete(t, one)
	s.wantSeen(t, "after a neighbour was deleted", other, engine.PowerOn)
}

func testRepetition(t *testing.T, s stage) {
	m := s.machine(t)
	s.prepare(t, m)
	s.prepare(t, m)
	s.wantSeen(t, "prepared twice", m, engine.PowerOff)
	s.start(t, m) // which prepares once more
	if err := s.engine.Start(t.Context(), m); err != nil {
		t.Errorf("the second Start: %v", err)
	}
	s.wantSeen(t, "started twice", m, engine.PowerOn)
	s.prepare(t, m)
	s.wantSeen(t, "prepared while it was on", m, engine.PowerOn)
	s.stop(t, m, 0)
	s.stop(t, m, s.Grace)
	s.wantSeen(t, "stopped twice", m, engine.PowerOff)
	s.delete(t, m)
	s.delete(t, m)
	s.wantSeen(t, "deleted twice", m, engine.PowerGone)
}

func testNotThere(t *testing.T, s stage) {
	m := s.machine(t)
	s.stop(t, m, s.Grace)
	s.delete(t, m)
	if err := s.engine.Start(t.Context(), m); cloud.CodeOf(err) != cloud.CodeNotFound {
		t.Errorf("Start returned %v, want an error of code %s", err, cloud.CodeNotFound)
	}
	s.wantSeen(t, "after orders in vain", m, engine.PowerGone)
}

func testKilled(t *testing.T, s stage) {
	m := s.machine(t)
	told := s.wantTold(t, m, s.Kill, engine.PowerFailed)
	wantForTenant(t, m, told.Reason)
	s.wantSeen(t, "killed", m, engine.PowerFailed)
	s.stop(t, m, s.Grace) // it is off
	s.start(t, m)
	s.wantSeen(t, "started after it was killed", m, engine.PowerOn)
}

func testPoweredOff(t *testing.T, s stage) {
	m := s.machine(t)
	s.wantTold(t, m, s.PowerOff, engine.PowerOff)
	s.wantSeen(t, "turned off inside", m, engine.PowerOff)
	s.start(t, m)
	s.wantSeen(t, "started after it was turned off inside", m, engine.PowerOn)
}

func testVanished(t *testing.T, s stage) {
	m := s.machine(t)
	s.wantTold(t, m, s.Vanish, engine.PowerGone)
	s.wantSeen(t, "vanished", m, engine.PowerGone)
	if err := s.engine.Start(t.Context(), m); cloud.CodeOf(err) != cloud.CodeNotFound {
		t.Errorf("Start of what vanished returned %v, want an error of code %s", err, cloud.CodeNotFound)
	}
	s.stop(t, m, s.Grace)
	s.start(t, m)
	s.wantSeen(t, "made again after it vanished", m, engine.PowerOn)
	s.Vanish(t, m)
	s.delete(t, m)
	s.wantSeen(t, "deleted after it vanished", m, engine.PowerGone)
}

func testReopened(t *testing.T, s stage) {
	off, on := s.machine(t), s.machine(t)
	_, end := watch(t, s.engine)
	s.prepare(t, off)
	s.start(t, on)
	end()
	s.engine = s.Open(t)
	s.wantSeen(t, "after the daemon was started again", off, engine.PowerOff)
	s.wantSeen(t, "after the daemon was started again", on, engine.PowerOn)
	s.start(t, on)
	s.start(t, off)
	s.wantSeen(t, "started by the next daemon", off, engine.PowerOn)
	s.wantTold(t, on, s.Kill, engine.PowerFailed)
	s.delete(t, off)
	s.delete(t, on)
	s.wantSeen(t, "deleted by the next daemon", off, engine.PowerGone)
	s.wantSeen(t, "deleted by the next daemon", on, engine.PowerGone)
}

func testEngineEnds(t *testing.T, s stage) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.engine.Run(ctx, func(engine.Sighting) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("Run with a context that had ended returned %v, want context.Canceled", err)
	}
	_, end := watch(t, s.engine)
	end()
	m := s.machine(t)
	s.start(t, m)
	s.wantSeen(t, "started while nothing runs", m, engine.PowerOn)
	s.wantTold(t, m, s.Kill, engine.PowerFailed) // which runs it again
}

func testCancelled(t *testing.T, s stage) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m := s.machine(t)
	wantCancelled := func(order string, err error) {
		t.Helper()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s returned %v, want context.Canceled", order, err)
		}
	}
	wantCancelled("Prepare", s.engine.Prepare(ctx, m))
	s.prepare(t, m)
	wantCancelled("Start", s.engine.Start(ctx, m))
	s.wantSeen(t, "after a Start that was called off", m, engine.PowerOff)
	s.start(t, m)
	wantCancelled("Stop", s.engine.Stop(ctx, m, s.Grace))
	s.wantSeen(t, "after a Stop that was called off", m, engine.PowerOn)
	wantCancelled("Delete", s.engine.Delete(ctx, m))
	_, err := s.engine.Survey(ctx)
	wantCancelled("Survey", err)
	if s.engine.Features().Filesystems {
		f := cloud.Filesystem{ID: cloud.ID(uuid.NewString()), ProjectID: m.ProjectID, Name: "data", Size: 64 << 20}
		wantCancelled("CreateFilesystem", s.engine.CreateFilesystem(ctx, f))
		wantCancelled("DeleteFilesystem", s.engine.DeleteFilesystem(ctx, f))
	}
	s.delete(t, m)
	s.wantSeen(t, "deleted", m, engine.PowerGone)
}

func testTwoAtOnce(t *testing.T, s stage) {
	m := s.machine(t)
	prepare := func() error { return s.engine.Prepare(t.Context(), m) }
	start := func() error { return s.engine.Start(t.Context(), m) }
	stop := func() error { return s.engine.Stop(t.Context(), m, 0) }
	remove := func() error { return s.engine.Delete(t.Context(), m) }
	wantBoth := func(orders string, one, other func() error, but ...cloud.Code) {
		t.Helper()
		for _, err := range atOnce(one, other) {
			if err != nil && !slices.Contains(but, cloud.CodeOf(err)) {
				t.Errorf("%s at once: %v", orders, err)
			}
		}
	}
	wantBoth("Prepare and Prepare", prepare, prepare)
	s.wantSeen(t, "prepared twice at once", m, engine.PowerOff)
	wantBoth("Start and Start", start, start)
	s.wantSeen(t, "started twice at once", m, engine.PowerOn)
	wantBoth("Stop and Stop", stop, stop)
	s.wantSeen(t, "stopped twice at once", m, engine.PowerOff)
	wantBoth("Start and Delete", start, remove, cloud.CodeNotFound)
	s.wantSeen(t, "started and deleted at once", m, engine.PowerGone)
	wantBoth("Prepare and Delete", prepare, remove)
	s.start(t, m)
	s.wantSeen(t, "started after it was prepared and deleted at once", m, engine.PowerOn)
	wantBoth("Stop and Delete", stop, remove)
	wantBoth("Delete and Delete", remove, remove)
	s.wantSeen(t, "deleted twice at once", m, engine.PowerGone)
}

// atOnce calls both and returns what they return.
func atOnce(one, other func() error) []error {
	errs := make([]error, 2)
	var both sync.WaitGroup
	both.Go(func() { errs[0] = one() })
	both.Go(func() { errs[1] = other() })
	both.Wait()
	return errs
}

func testImages(t *testing.T, s stage) {
	images, err := s.engine.Images(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m := s.machine(t)
	if !slices.IsSorted(images) || !slices.Contains(images, m.Image) {
		t.Errorf("the images are %q, want them in order and %s among them", images, m.Image)
	}
	for _, image := range images {
		if name, found := strings.CutPrefix(image, "image://"); !found || name == "" {
			t.Errorf("the image %q is not of the form image://NAME", image)
		}
	}
	name := strings.TrimPrefix(m.Image, "image://")
	for _, unknown := range []string{
		"", name, "image://", "image://no-such-image", "image://../" + name, "image://./" + name, m.Image + "/", m.Image + "\x00",
	} {
		wrong := s.machine(t)
		wrong.Image = unknown
		err := s.engine.Prepare(t.Context(), wrong)
		if cloud.CodeOf(err) != cloud.CodeInvalid {
			t.Errorf("Prepare of the image %q returned %v, want an error of code %s", unknown, err, cloud.CodeInvalid)
			continue
		}
		// What was asked for may be repeated.
		wantForTenant(t, wrong, strings.ReplaceAll(err.Error(), "../"+name, ""))
		s.wantSeen(t, "of an unknown image", wrong, engine.PowerGone)
	}
}

// wantForTenant holds a text for tenants to say nothing of what lies below.
func wantForTenant(t *testing.T, m engine.Machine, text string) {
	t.Helper()
	said := strings.ReplaceAll(text, "image://", "")
	said = strings.ReplaceAll(said, strings.TrimPrefix(m.Image, "image://"), "")
	if strings.Contains(said, "/") || strings.Contains(said, m.Host) || strings.ContainsAny(said, "\r\n\x00") {
		t.Errorf("a tenant reads %q, want neither paths nor hosts nor lines", text)
	}
}

func testFilesystems(t *testing.T, s stage) {
	m := s.Machine(t)
	f := cloud.Filesystem{ID: cloud.ID(uuid.NewString()), ProjectID: m.ProjectID, Name: "data", Size: 64 << 20}
	create := func() error { return s.engine.CreateFilesystem(t.Context(), f) }
	remove := func() error { return s.engine.DeleteFilesystem(t.Context(), f) }
	if !s.engine.Features().Filesystems {
		for order, fn := range map[string]func() error{"CreateFilesystem": create, "DeleteFilesystem": remove} {
			if err := fn(); cloud.CodeOf(err) != cloud.CodeUnimplemented {
				t.Errorf("%s returned %v, want an error of code %s", order, err, cloud.CodeUnimplemented)
			}
		}
		return
	}
	for _, again := range []string{"", " again"} {
		if err := create(); err != nil {
			t.Fatalf("CreateFilesystem%s: %v", again, err)
		}
	}
	for range 2 { // the second has what the first leaves behind
		m := s.machine(t)
		m.Filesystems = []cloud.ID{f.ID}
		s.start(t, m)
		s.wantSeen(t, "started with a filesystem", m, engine.PowerOn)
		s.delete(t, m)
	}
	for _, again := range []string{"", " again"} {
		if err := remove(); err != nil {
			t.Errorf("DeleteFilesystem%s: %v", again, err)
		}
	}
}
