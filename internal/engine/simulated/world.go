package simulated

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// World is the simulated hosts with all that is on them. It goes on whether an
// Engine looks or not. It is safe for concurrent use.
type World struct {
	config Config
	images []string // as image://NAME, by name

	mu          sync.Mutex
	rand        *rand.Rand
	hosts       map[string]*host
	names       []string                      // of the hosts that are configured, in order
	addresses   map[string]cloud.ID           // by address, who has it
	filesystems map[cloud.ID]cloud.Filesystem // of which only the id, the project and the size are kept
	journal     *journal                      // nil for a World in memory
	agenda      agenda                        // what chance has in store
	boots       uint64                        // so far
	watchers    map[*watcher]struct{}
}

// Open returns the World that the configuration describes: with what its file
// holds, or with empty hosts. CodeInvalid, naming the field, if the
// configuration is wrong; CodeConflict if another process has the file.
func Open(c Config) (*World, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	w := &World{
		config:      c,
		rand:        rand.New(rand.NewPCG(c.Seed, 0)), //nolint:gosec // a simulation wants chance that can be repeated
		hosts:       make(map[string]*host, len(c.Hosts)),
		addresses:   make(map[string]cloud.ID),
		filesystems: make(map[cloud.ID]cloud.Filesystem),
		watchers:    make(map[*watcher]struct{}),
	}
	for _, name := range c.Images {
		w.images = append(w.images, "image://"+name)
	}
	slices.Sort(w.images)
	for _, h := range c.Hosts {
		w.hosts[h.Name] = newHost(h, true)
	}
	w.names = slices.Sorted(maps.Keys(w.hosts))
	if err := w.load(); err != nil {
		return nil, err
	}
	for _, name := range w.names {
		w.expectSilence(w.hosts[name])
	}
	return w, nil
}

// Close lets go of the file. What is done to the World afterwards is not kept,
// and is an error where there is a file.
func (w *World) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.journal == nil {
		return nil
	}
	return w.journal.close()
}

// load takes over what the file holds, and keeps it open.
func (w *World) load() error {
	if w.config.File == "" {
		return nil
	}
	j, err := openJournal(w.config.File)
	if err != nil {
		return err
	}
	err = j.read(func(r record) {
		switch {
		case r.Machine != nil:
			w.replace(w.host(r.Machine.Host), *r.Machine)
		case r.Filesystem != nil:
			w.filesystems[r.Filesystem.ID] = r.Filesystem.filesystem()
		case r.FilesystemGone != "":
			delete(w.filesystems, r.FilesystemGone)
		}
	})
	if err == nil {
		err = j.rewrite(w.records())
	}
	if err != nil {
		_ = j.close() // the first error is the one to tell
		return err
	}
	w.journal = j
	return nil
}

// host returns the one of a name; one that nobody configured was, once.
func (w *World) host(name string) *host {
	h, found := w.hosts[name]
	if !found {
		h = newHost(cloud.Host{Name: name}, false)
		w.hosts[name] = h
	}
	return h
}

// do has fn look at the World, or change it, as it is now.
func (w *World) do(fn func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.advance()
	return fn()
}

// reach returns a host that answers. CodeUnavailable if it does not.
func (w *World) reach(name string) (*host, error) {
	h, found := w.hosts[name]
	switch {
	case !found || !h.configured:
		return nil, cloud.Unavailable(fmt.Errorf("there is no host %q in the configuration of the simulated engine", name))
	case h.silent:
		return nil, cloud.Unavailable(fmt.Errorf("the simulated host %s does not answer", name))
	}
	return h, nil
}

// change makes of a machine what next is, and tells who watches. Nothing on a
// host changes otherwise.
func (w *World) change(h *host, next Machine) error {
	old := h.machine(next.ID)
	if old.same(next) || old.nothing() && next.nothing() {
		return nil
	}
	if err := w.admit(h, old, next); err != nil {
		return err
	}
	if err := w.keep(record{Machine: &next}); err != nil {
		return err
	}
	w.replace(h, next)
	if next.seen() != old.seen() {
		w.tell(h, next)
	}
	return nil
}

// admit says what keeps the change from being possible, if anything.
func (w *World) admit(h *host, old, next Machine) error {
	if owner, taken := w.addresses[next.IP]; next.Network && !old.Network && taken {
		return fmt.Errorf("the address %s, which machine %s is to have on host %s, is machine %s's already", next.IP, next.ID, h.Name, owner)
	}
	if next.on() && !old.on() {
		return h.room(next)
	}
	return nil
}

// replace does what change has found to be possible.
func (w *World) replace(h *host, next Machine) {
	old := h.guests[next.ID]
	if old.on() {
		h.giveBack(old.Machine)
	}
	if old.Network {
		delete(w.addresses, old.IP)
	}
	if next.nothing() {
		delete(h.guests, next.ID)
		return
	}
	if next.Network {
		w.addresses[next.IP] = next.ID
	}
	g := guest{Machine: next, boot: old.boot}
	if next.on() {
		h.take(next)
		if !old.on() {
			w.boots++
			g.boot = w.boots
			w.expectCrash(h, g)
		}
	}
	h.guests[next.ID] = g
}

// keep writes a record down, where there is a file.
func (w *World) keep(r record) error {
	if w.journal == nil {
		return nil
	}
	if w.journal.overgrown(w.size()) {
		if err := w.journal.rewrite(w.records()); err != nil {
			return err
		}
	}
	return w.journal.append(r)
}

// size is how many records say all there is.
func (w *World) size() (n int) {
	for _, h := range w.hosts {
		n += len(h.guests)
	}
	return n + len(w.filesystems)
}

// records say all there is.
func (w *World) records() func(yield func(record) bool) {
	return func(yield func(record) bool) {
		for _, h := range w.hosts {
			for _, g := range h.guests {
				if !yield(record{Machine: &g.Machine}) {
					return
				}
			}
		}
		for _, f := range w.filesystems {
			if !yield(record{Filesystem: keptFilesystem(f)}) {
				return
			}
		}
	}
}

func (w *World) putFilesystem(f cloud.Filesystem) error {
	if _, there := w.filesystems[f.ID]; there {
		return nil
	}
	if err := w.keep(record{Filesystem: keptFilesystem(f)}); err != nil {
		return err
	}
	w.filesystems[f.ID] = cloud.Filesystem{ID: f.ID, ProjectID: f.ProjectID, Size: f.Size}
	return nil
}

func (w *World) removeFilesystem(id cloud.ID) error {
	if _, there := w.filesystems[id]; !there {
		return nil
	}
	if err := w.keep(record{FilesystemGone: id}); err != nil {
		return err
	}
	delete(w.filesystems, id)
	return nil
}

// survey sees what every host that answers has.
func (w *World) survey() engine.Survey {
	s := engine.Survey{Sightings: make([]engine.Sighting, 0, w.size())}
	for _, name := range w.names {
		h := w.hosts[name]
		if !h.reachable() {
			continue
		}
		s.Heard = append(s.Heard, name)
		for _, g := range h.guests {
			if g.Defined {
				s.Sightings = append(s.Sightings, g.seen())
			}
		}
	}
	return s
}

// offers says what is wrong with an image, if anything.
func (w *World) offers(image string) error {
	if _, found := slices.BinarySearch(w.images, image); !found {
		return cloud.Invalid("image must be one of %s; got %.80q", strings.Join(w.images, ", "), image)
	}
	return nil
}

// chance tells whether something happens that has this probability.
func (w *World) chance(p float64) bool { return p > 0 && w.rand.Float64() < p }

// within takes a duration from a span.
func (w *World) within(s Span) time.Duration {
	return s.From + time.Duration(w.rand.Int64N(int64(s.To-s.From)+1))
}

// watcher is who is told of what is seen.
type watcher struct {
	pending []engine.Sighting
	news    chan struct{} // holds one if there is anything pending, or a date has changed
}

func (w *World) watch() *watcher {
	w.mu.Lock()
	defer w.mu.Unlock()
	one := &watcher{news: make(chan struct{}, 1)}
	w.watchers[one] = struct{}{}
	return one
}

func (w *World) unwatch(one *watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.watchers, one)
}

// tell tells everybody of a machine as it is now or, if its host is silent,
// when it no longer is.
func (w *World) tell(h *host, m Machine) {
	if !h.reachable() {
		h.missed[m.ID] = true
		return
	}
	for one := range w.watchers {
		one.pending = append(one.pending, m.seen())
		one.wake()
	}
}

func (one *watcher) wake() {
	select {
	case one.news <- struct{}{}:
	default: // it will look anyway
	}
}

// heed takes what is pending for a watcher, and says after how long chance
// wants to be looked at again; negative for never.
func (w *World) heed(one *watcher) (pending []engine.Sighting, wait time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.advance()
	pending, one.pending = one.pending, nil
	return pending, w.agenda.wait(w.config.Now())
}
