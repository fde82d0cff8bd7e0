package region

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// compareEvery is how often every machine that is written down is compared,
// rather than those of which something else is seen than before.
const compareEvery = time.Minute

// sightings is what was seen last. One goroutine owns it.
type sightings struct {
	last      map[cloud.ID]engine.Sighting
	compared  time.Time         // when all were last; zero for never
	strangers map[cloud.ID]bool // that were told of
	silent    bool              // the engine did not answer last
}

func newSightings() *sightings {
	return &sightings{last: map[cloud.ID]engine.Sighting{}, strangers: map[cloud.ID]bool{}}
}

// watch surveys, regularly and whenever something happened.
func (r *Reconciler) watch(ctx context.Context) error {
	for {
		r.survey(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.look:
		case <-r.Region.after(surveyEvery):
		}
	}
}

// survey looks at everything, and takes in what is not as it was.
func (r *Reconciler) survey(ctx context.Context) {
	mark := r.agenda.mark()
	seen, err := r.Engine.Survey(ctx)
	if err != nil {
		if !r.sightings.silent && ctx.Err() == nil {
			r.Log.WarnContext(ctx, "the engine does not tell what runs", "error", cloud.Explain(err))
		}
		r.sightings.silent = true
		return
	}
	if r.sightings.silent {
		r.sightings.silent = false
		r.Log.InfoContext(ctx, "the engine tells again what runs")
	}
	r.hear(ctx, seen.Heard)
	suspects := r.sightings.compare(seen)
	if now := r.Region.now(); r.sightings.compared.IsZero() || now.Sub(r.sightings.compared) >= compareEvery {
		if err := r.suspectAll(ctx, seen, suspects); err != nil {
			r.Log.WarnContext(ctx, "what is written down of instances could not be compared with what runs; trying again", "error", err)
			return
		}
		r.sightings.compared = now
		r.vacated(ctx) // in case that somebody was forgotten
	}
	for _, id := range slices.Sorted(maps.Keys(suspects)) {
		r.takeIn(ctx, suspects[id], mark)
	}
}

func (r *Reconciler) hear(ctx context.Context, hosts []string) {
	for _, host := range append([]string{cloud.SourceRegion}, hosts...) {
		if err := r.Region.Heard(host); err != nil {
			r.Log.WarnContext(ctx, "a host has a name under which it cannot be reported", "error", err)
		}
	}
}

// compare lists what is seen otherwise than before. What is not seen any more is
// gone, if its host was heard.
func (s *sightings) compare(seen engine.Survey) map[cloud.ID]engine.Sighting {
	suspects := map[cloud.ID]engine.Sighting{}
	there := make(map[cloud.ID]bool, len(seen.Sightings))
	for _, now := range seen.Sightings {
		there[now.ID] = true
		if s.last[now.ID] != now {
			suspects[now.ID] = now
		}
	}
	for id, before := range s.last {
		if !there[id] && slices.Contains(seen.Heard, before.Host) {
			suspects[id] = engine.Sighting{ID: id, Host: before.Host, Power: engine.PowerGone}
		}
	}
	return suspects
}

// suspectAll adds every machine that a host should have.
func (r *Reconciler) suspectAll(ctx context.Context, seen engine.Survey, suspects map[cloud.ID]engine.Sighting) error {
	there := make(map[cloud.ID]engine.Sighting, len(seen.Sightings))
	for _, s := range seen.Sightings {
		there[s.ID] = s
	}
	heard := make(map[string]bool, len(seen.Heard))
	for _, host := range seen.Heard {
		heard[host] = true
	}
	return r.eachMachine(ctx, func(m cloud.Machine) error {
		if nextStep(m) != stepNone {
			r.Wake(m.ID) // unless somebody is at it, it was forgotten
			return nil
		}
		s, ok := there[m.ID]
		if !ok {
			s = engine.Sighting{ID: m.ID, Host: m.Host, Power: engine.PowerGone}
		}
		if heard[s.Host] && witness(m, s).State != m.State {
			suspects[m.ID] = s
		}
		return nil
	})
}

// takeIn writes down what was seen of a machine since the mark, unless somebody
// worked on it since: then the next survey tells.
func (r *Reconciler) takeIn(ctx context.Context, seen engine.Sighting, mark uint64) {
	if !r.agenda.claim(seen.ID, mark) {
		return
	}
	vacated, more, err := r.record(ctx, seen)
	if err != nil {
		r.agenda.done(seen.ID, false)
		if ctx.Err() == nil {
			r.Log.WarnContext(ctx, "what was seen of an instance could not be written down; trying again", "instance", seen.ID, "error", err)
		}
		return
	}
	r.agenda.done(seen.ID, more)
	if seen.Power == engine.PowerGone {
		delete(r.sightings.last, seen.ID)
	} else {
		r.sightings.last[seen.ID] = seen
	}
	if vacated {
		r.vacated(ctx)
	}
}

func (r *Reconciler) record(ctx context.Context, seen engine.Sighting) (vacated, more bool, err error) {
	m, err := r.machine(ctx, seen.ID)
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		r.noteStranger(ctx, seen)
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	if seen.Host != m.Host {
		r.noteStranger(ctx, seen)
		return false, false, nil
	}
	if after := witness(m, seen); after.State == m.State && after.Prepared == m.Prepared {
		return false, nextStep(m) != stepNone, nil
	}
	var before, after cloud.Machine
	err = r.Region.change(ctx, func(c *change) error {
		if before, err = c.Machine(seen.ID); err != nil {
			return err
		}
		after = witness(before, seen)
		return c.put(after)
	})
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		return false, false, nil
	}
	return before.Placed && !after.Placed, nextStep(after) != stepNone, err
}

// noteStranger tells the operator, once, of a machine that the region does not
// know on that host. It is left alone: the region's database may be one that was
// restored, and be what is wrong.
func (r *Reconciler) noteStranger(ctx context.Context, seen engine.Sighting) {
	if seen.Power == engine.PowerGone || r.sightings.strangers[seen.ID] {
		return
	}
	r.sightings.strangers[seen.ID] = true
	r.Log.WarnContext(ctx, "a host has an instance that the region does not know there; it is left alone", "instance", seen.ID, "host", seen.Host)
}
