package simulated

import (
	"container/heap"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// incidentKind is what can happen by chance.
type incidentKind int

const (
	incidentCrash   incidentKind = iota // of the machine, if it is in the same boot still
	incidentSilence                     // the host falls silent
	incidentReturn                      // the host answers again, if it is in the same silence still
)

// incident is something that is to happen.
type incident struct {
	at      time.Time
	kind    incidentKind
	host    *host
	machine cloud.ID
	count   uint64 // of the boot or the silence that it is about
}

// crashReasons are what tenants read of a machine that crashed.
var crashReasons = []string{
	"the machine crashed: kernel panic",
	"the machine crashed: a fatal memory error",
	"the machine crashed: its GPU fell off the bus",
}

// reasonKilled is what they read of one that somebody killed.
const reasonKilled = "the machine ended unexpectedly"

// advance lets happen what is due. Should the World be kept in a file and that
// fail, it does not happen; whoever gives the next order hears of it.
func (w *World) advance() {
	now := w.config.Now()
	for len(w.agenda) > 0 && !w.agenda[0].at.After(now) {
		w.happen(heap.Pop(&w.agenda).(incident), now)
	}
}

func (w *World) happen(i incident, now time.Time) {
	switch i.kind {
	case incidentCrash:
		g, found := i.host.guests[i.machine]
		if !found || !g.on() || g.boot != i.count {
			return
		}
		g.turn(engine.PowerFailed, crashReasons[w.rand.IntN(len(crashReasons))])
		_ = w.change(i.host, g.Machine) // see advance
	case incidentSilence:
		if i.host.silent {
			w.expectSilence(i.host) // somebody else has silenced it
			return
		}
		w.silence(i.host)
		w.expect(incident{at: now.Add(w.within(w.config.Faults.SilenceFor)), kind: incidentReturn, host: i.host, count: i.host.silences})
	case incidentReturn:
		if i.host.silent && i.host.silences == i.count {
			w.hear(i.host)
		}
		w.expectSilence(i.host)
	}
}

// silence makes a host fall silent.
func (w *World) silence(h *host) {
	if !h.silent {
		h.silent = true
		h.silences++
	}
}

// hear makes a host answer again, and tells what changed meanwhile.
func (w *World) hear(h *host) {
	h.silent = false
	for id := range h.missed {
		w.tell(h, h.machine(id))
	}
	clear(h.missed)
}

// expectCrash sets a date for the end of a machine that was just turned on.
func (w *World) expectCrash(h *host, g guest) {
	if mean := w.config.Faults.CrashEvery; mean > 0 {
		w.expect(incident{at: w.later(mean), kind: incidentCrash, host: h, machine: g.ID, count: g.boot})
	}
}

// expectSilence sets a date for the next silence of a host.
func (w *World) expectSilence(h *host) {
	if mean := w.config.Faults.SilenceEvery; mean > 0 {
		w.expect(incident{at: w.later(mean), kind: incidentSilence, host: h})
	}
}

// later is after a time that has a mean and no memory.
func (w *World) later(mean time.Duration) time.Time {
	const longest = 100 // times the mean; that chance exceeds it, nobody will see
	return w.config.Now().Add(time.Duration(min(w.rand.ExpFloat64(), longest) * float64(mean)))
}

// expect puts an incident on the agenda. If it is the next one, watchers wait
// for it instead.
func (w *World) expect(i incident) {
	heap.Push(&w.agenda, i)
	if w.agenda[0].at.Equal(i.at) {
		for one := range w.watchers {
			one.wake()
		}
	}
}

// agenda implements heap.Interface: what is to happen, soonest first.
type agenda []incident

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].at.Before(a[j].at) }
func (a agenda) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)        { *a = append(*a, x.(incident)) }
func (a *agenda) Pop() any {
	last := len(*a) - 1
	i := (*a)[last]
	*a = (*a)[:last]
	return i
}

// wait is how long it is until the next one; negative if there is none.
func (a agenda) wait(now time.Time) time.Duration {
	if len(a) == 0 {
		return -1
	}
	return max(a[0].at.Sub(now), 0)
}
