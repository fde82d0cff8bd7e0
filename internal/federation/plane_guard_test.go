package federation_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

// fleet is a region that joined with that many instances, from 0 on: the even
// ones are acme's, the odd ones bolt's.
func fleet(s *stand, count int) *site {
	s.t.Helper()
	r := newSite(s, west)
	for n := range count {
		r.run(n, []cloud.ID{acme, bolt}[n%2], cloud.InstanceRunning)
	}
	r.hello()
	r.send(r.heartbeat())
	r.snapshot()
	s.same(r)
	return r
}

// lose lets the region forget its instances from..to without a word, as a
// database does that was made anew.
func (r *site) lose(from, to int) {
	r.s.t.Helper()
	for n := from; n < to; n++ {
		delete(r.objects, instanceKey(n))
	}
	r.incarnation = r.s.newID()
	r.hello()
}

// find lets the region have its instances from..to again.
func (r *site) find(from, to int) {
	for n := from; n < to; n++ {
		r.run(n, []cloud.ID{acme, bolt}[n%2], cloud.InstanceRunning)
	}
}

// missing tells since when, after an instant, which instances of a region are
// held as missing.
func (s *stand) missing(r *site, after time.Time) map[string]time.Duration {
	s.t.Helper()
	missing := map[string]time.Duration{}
	for _, o := range s.stored(r.name, slices.Collect(maps.Keys(r.ever))...) {
		if !o.MissingSince.IsZero() {
			in, err := cloud.NewInstance(o)
			if err != nil {
				s.t.Fatal(err)
			}
			missing[in.Name] = o.MissingSince.Sub(after)
		}
	}
	return missing
}

// span is what missing says of the instances from..to.
func span(from, to int, since time.Duration) map[string]time.Duration {
	missing := map[string]time.Duration{}
	for n := from; n < to; n++ {
		missing[fmt.Sprint("n", n)] = since
	}
	return missing
}

func (s *stand) wantMissing(r *site, after time.Time, want ...map[string]time.Duration) {
	s.t.Helper()
	all := map[string]time.Duration{}
	for _, w := range want {
		maps.Copy(all, w)
	}
	if diff := gocmp.Diff(all, s.missing(r, after)); diff != "" {
		s.t.Errorf("the missing instances (-want +got):\n%s", diff)
	}
	var earliest time.Time
	for _, since := range all {
		if at := after.Add(since); earliest.IsZero() || at.Before(earliest) {
			earliest = at
		}
	}
	if got := s.link(r.name).MissingSince; !got.Equal(earliest) {
		s.t.Errorf("the link says that objects are missing since %v, want %v", got, earliest)
	}
}

// beat is a heartbeat with the region's digest, and what it is answered with.
func (r *site) beat() wire.SyncAnswerOutcome {
	r.s.t.Helper()
	m := r.heartbeat()
	digest := wireDigest(r.digest())
	m.Digest = &digest
	return r.send(m).Outcome
}

func TestASnapshotThatLacksTooMuchIsHeld(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := fleet(s, 50)
	began := s.clock()
	entries := len(s.audited())
	r.lose(30, 50)
	r.run(0, acme, cloud.InstanceStopped)
	r.run(60, acme, cloud.InstanceCreating)
	if moved := s.touched(r.snapshot); !slices.Equal(moved, []string{"acme", "bolt"}) {
		t.Errorf("it moves %v", moved)
	}
	s.wantMissing(r, began, span(30, 50, 0))
	s.same(r) // what it brought counts, at its seq and with its digest

	if got := s.health(acme, instanceKey(30).ID); got != cloud.InstanceAttention {
		t.Errorf("a missing instance is %s", got)
	}
	if got := s.health(acme, instanceKey(2).ID); got != cloud.InstanceHealthy {
		t.Errorf("one that is not is %s", got)
	}
	if got := len(s.instances(acme)) + len(s.instances(bolt)); got != 51 {
		t.Errorf("%d instances are listed, want 51", got)
	}
	if !strings.Contains(s.logged.String(), "held as missing") {
		t.Error("nobody is told")
	}
	last := s.audited()[entries:]
	if got := last[len(last)-1]; got.Action != "region.snapshot" || !strings.Contains(got.After, `"objects":51,"missing":20`) {
		t.Errorf("the audit has %+v", got)
	}

	// Changes go on meanwhile, and so does the comparison of digests.
	r.run(1, bolt, cloud.InstanceStopped)
	r.sync()
	if got := r.beat(); got != wire.SyncAnswerOutcomeApplied {
		t.Errorf("a heartbeat with a digest is answered with %s", got)
	}
	s.same(r)
	s.wantMissing(r, began, span(30, 50, 0))
}

func TestTheGuardsBounds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		had, lacks int
		held       bool
	}{{10, 10, false}, {11, 11, true}, {54, 11, true}, {55, 11, false}, {60, 12, false}} {
		t.Run(fmt.Sprintf("%d of %d", tt.lacks, tt.had), func(t *testing.T) {
			t.Parallel()
			s := newStand(t)
			r := fleet(s, tt.had)
			began := s.clock()
			r.lose(0, tt.lacks)
			r.snapshot()
			if tt.held {
				s.wantMissing(r, began, span(0, tt.lacks, 0))
			} else {
				s.wantMissing(r, began)
			}
			s.same(r)
		})
	}
}

// What a snapshot brings does not make what it lacks look small, not even if
// its pages came before in one that was abandoned.
func TestTheGuardMeasuresByWhatTheCopyWas(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := fleet(s, 20)
	began := s.clock()
	r.lose(0, 20)
	r.find(100, 300)
	id := r.begin()
	for number := range 4 {
		if err := r.put(id, number, r.page(number, 50)); err != nil {
			t.Fatal(err)
		}
	}
	r.hello()
	r.snapshot()
	s.wantMissing(r, began, span(0, 20, 0))
	s.same(r)
}

// What is confirmed to be gone makes nothing look small either.
func TestTheGuardMeasuresByWhatIsLeft(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := fleet(s, 100)
	began := s.clock()
	r.lose(50, 100)
	r.snapshot()
	s.pass(cloud.GuardDelay)
	r.lose(0, 12)
	r.snapshot()
	s.wantMissing(r, began, span(0, 12, cloud.GuardDelay))
	s.same(r)
}

func TestComingBackInASnapshotIsSeen(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := fleet(s, 30)
	r.lose(10, 30)
	r.snapshot()
	r.find(10, 11) // acme's
	if moved := s.touched(r.snapshot); !slices.Equal(moved, []string{"acme"}) {
		t.Errorf("it moves %v", moved)
	}
	if got := s.health(acme, instanceKey(10).ID); got != cloud.InstanceHealthy {
		t.Errorf("it is %s", got)
	}
}

func TestThePlaneAsksAgainAndThenBelievesIt(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := fleet(s, 50)
	began := s.clock()
	r.lose(30, 50)
	r.snapshot()
	s.pass(cloud.GuardDelay - time.Microsecond)
	if got := r.beat(); got != wire.SyncAnswerOutcomeApplied {
		t.Errorf("a moment before it is answered with %s", got)
	}
	s.pass(time.Microsecond)
	for range 3 { // until it begins, for the answer may be lost
		if got := r.beat(); got != wire.SyncAnswerOutcomeResync {
			t.Errorf("after five minutes it is answered with %s", got)
		}
	}
	r.run(0, acme, cloud.InstanceStopped)
	if answer := r.send(r.delta(r.applied)); answer.Outcome != wire.SyncAnswerOutcomeResync || answer.AppliedSeq != r.seq {
		t.Errorf("changes are answered with %+v, want them kept", answer)
	}
	s.wantMissing(r, began, span(30, 50, 0))
	id := r.begin()
	if got := r.send(r.heartbeat()).Outcome; got != wire.SyncAnswerOutcomeApplied {
		t.Errorf("in the snapshot it is answered with %s", got)
	}
	for number := range 10 {
		if err := r.put(id, number, r.page(number, 3)); err != nil {
			t.Fatal(err)
		}
	}
	s.wantMissing(r, began, span(30, 50, 0))
	moved := s.touched(func() {
		if err := r.commit(id, r.digest()); err != nil {
			t.Fatal(err)
		}
	})
	if !slices.Equal(moved, []string{"acme", "bolt"}) {
		t.Errorf("the removal moves %v", moved)
	}
	s.wantMissing(r, began)
	s.same(r)
	if got := len(s.instances(acme)) + len(s.instances(bolt)); got != 30 {
		t.Errorf("%d instances are listed, want 30", got)
	}
	if got := r.beat(); got != wire.SyncAnswerOutcomeApplied {
		t.Errorf("afterwards it is answered with %s", got)
	}
}

// TestWhatHappensToWhatIsMissing begins with 20 of 50 instances missing.
func TestWhatHappensToWhatIsMissing(t *testing.T) {
	t.Parallel()
	const m = time.Minute
	tests := map[string]struct {
		happens func(s *stand, r *site)
		missing []map[string]time.Duration
	}{
		"nothing, for a year": {func(s *stand, r *site) {
			s.pass(365 * 24 * time.Hour)
			r.beat()
		}, []map[string]time.Duration{span(30, 50, 0)}},
		"the region stays away": {func(s *stand, _ *site) {
			s.pass(24 * time.Hour)
			s.restartPlane(time.Hour)
		}, []map[string]time.Duration{span(30, 50, 0)}},
		"some come back as changes": {func(_ *stand, r *site) {
			r.find(30, 45)
			r.sync()
		}, []map[string]time.Duration{span(45, 50, 0)}},
		"all come back as changes": {func(s *stand, r *site) {
			r.find(30, 50)
			r.sync()
			s.pass(time.Hour)
			if r.beat() != wire.SyncAnswerOutcomeApplied {
				s.t.Error("though nothing is missing, the plane asks for a snapshot")
			}
		}, nil},
		"one comes back and is gone between two syncs": {func(_ *stand, r *site) {
			r.find(49, 50)
			r.bury(instanceKey(49))
			r.sync()
		}, []map[string]time.Duration{span(30, 49, 0)}},
		"a snapshot of the region's own, too early": {func(s *stand, r *site) {
			s.pass(4 * m)
			r.snapshot()
		}, []map[string]time.Duration{span(30, 50, 0)}},
		"one that begins too early and ends late": {func(s *stand, r *site) {
			s.pass(4 * m)
			id := r.begin()
			s.pass(2 * m)
			for number := range 10 {
				if err := r.put(id, number, r.page(number, 3)); err != nil {
					s.t.Fatal(err)
				}
			}
			if err := r.commit(id, r.digest()); err != nil {
				s.t.Fatal(err)
			}
			r.applied = r.seq
		}, []map[string]time.Duration{span(30, 50, 0)}},
		"an early snapshot that has some": {func(s *stand, r *site) {
			s.pass(4 * m)
			r.find(30, 45)
			r.snapshot()
		}, []map[string]time.Duration{span(45, 50, 0)}},
		"an early snapshot that has them, and lacks others": {func(s *stand, r *site) {
			s.pass(4 * m)
			r.lose(0, 20)
			r.find(30, 50)
			r.snapshot()
		}, []map[string]time.Duration{span(0, 20, 4*m)}},
		"an early snapshot that lacks a few more": {func(s *stand, r *site) {
			s.pass(4 * m)
			r.lose(0, 2)
			r.snapshot()
		}, []map[string]time.Duration{span(30, 50, 0), span(0, 2, 4*m)}},
		"an early snapshot that has most, and lacks a few others": {func(s *stand, r *site) {
			s.pass(4 * m)
			r.lose(0, 2)
			r.find(30, 45)
			r.snapshot()
		}, []map[string]time.Duration{span(45, 50, 0)}},
		"a late snapshot that has some": {func(s *stand, r *site) {
			s.pass(6 * m)
			r.find(30, 45)
			r.snapshot()
		}, nil},
		"a late snapshot that lacks many others": {func(s *stand, r *site) {
			s.pass(6 * m)
			r.lose(0, 15)
			r.snapshot()
		}, []map[string]time.Duration{span(0, 15, 6*m)}},
		"a late snapshot that lacks a few others": {func(s *stand, r *site) {
			s.pass(6 * m)
			r.lose(0, 2)
			r.snapshot()
		}, nil},
		"a late snapshot that is abandoned": {func(s *stand, r *site) {
			s.pass(6 * m)
			id := r.begin()
			if err := r.put(id, 0, r.page(0, 3)); err != nil {
				s.t.Fatal(err)
			}
			r.hello()
		}, []map[string]time.Duration{span(30, 50, 0)}},
		"a late snapshot that does not match": {func(s *stand, r *site) {
			s.pass(6 * m)
			if err := r.commit(r.begin(), r.digest()); err == nil {
				s.t.Error("it is committed")
			}
		}, []map[string]time.Duration{span(30, 50, 0)}},
		"both sides start again, as another incarnation too": {func(s *stand, r *site) {
			s.pass(m)
			s.restartPlane(m)
			r.hello()
			r.lose(0, 0)
			r.snapshot()
		}, []map[string]time.Duration{span(30, 50, 0)}},
		"the plane's clock is set back": {func(s *stand, r *site) {
			s.pass(-24 * time.Hour)
			r.hello()
			r.snapshot()
			r.beat()
		}, []map[string]time.Duration{span(30, 50, 0)}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t)
			r := fleet(s, 50)
			began := s.clock()
			r.lose(30, 50)
			r.snapshot()
			tt.happens(s, r)
			s.wantMissing(r, began, tt.missing...)
			if s.link(west).Snapshot == nil {
				s.same(r)
			}
			// Whatever it was, in the end the copy is what the region has.
			for range 3 {
				if s.pass(48 * time.Hour); s.link(west).Snapshot != nil || r.beat() == wire.SyncAnswerOutcomeResync {
					r.snapshot()
				}
			}
			s.wantMissing(r, began)
			s.same(r)
		})
	}
}

func TestNoClockOfARegionDecidesAnything(t *testing.T) {
	t.Parallel()
	run := func(clock func(time.Time) *int64) (answers []wire.SyncAnswer, links []cloud.Link, skews []time.Duration) {
		s := newStand(t)
		r := fleet(s, 20)
		r.lose(5, 20)
		r.snapshot()
		for n := range 16 {
			s.pass(40 * time.Second)
			r.run(n%5, acme, cloud.InstanceStates[n%len(cloud.InstanceStates)])
			m := r.delta(r.applied)
			m.ClockMs = clock(s.clock())
			if answer := r.send(m); answer.Outcome == wire.SyncAnswerOutcomeResync {
				r.snapshot()
			}
			l := s.link(west)
			if skew, ok := l.Skew(); ok {
				skews = append(skews, skew)
			}
			l.Clock = time.Time{}
			answers, links = append(answers, wire.SyncAnswer{Outcome: wire.SyncAnswerOutcome(s.health(acme, instanceKey(0).ID)), Nonce: r.nonce, AppliedSeq: r.applied}), append(links, l)
		}
		return answers, links, skews
	}
	ms := func(t time.Time) *int64 { ms := t.UnixMilli(); return &ms }
	wantAnswers, wantLinks, none := run(func(time.Time) *int64 { return nil })
	if len(none) > 0 {
		t.Errorf("without a clock there is a skew of %v", none)
	}
	steps := 0
	for name, clock := range map[string]func(time.Time) *int64{
		"a day ahead": func(now time.Time) *int64 { return ms(now.Add(24 * time.Hour)) },
		"jumping":     func(now time.Time) *int64 { steps++; return ms(now.Add(time.Duration(steps%3-1) * 24 * time.Hour)) },
		"beyond all":  func(time.Time) *int64 { far := int64(1<<63 - 1); return &far },
	} {
		answers, links, skews := run(clock)
		if len(skews) == 0 {
			t.Errorf("%s: the skew is not shown", name)
		}
		if name == "a day ahead" && skews[0] != 24*time.Hour {
			t.Errorf("a day ahead is shown as %v", skews[0])
		}
		if diff := gocmp.Diff(wantLinks, links); diff != "" {
			t.Errorf("%s: the links (-without +with):\n%s", name, diff)
		}
		if len(answers) != len(wantAnswers) {
			t.Errorf("%s: %d answers, want %d", name, len(answers), len(wantAnswers))
		}
		for i := range answers {
			// Each stand signs nonces with a key of its own.
			answers[i].Nonce, wantAnswers[i].Nonce = "", ""
		}
		if diff := gocmp.Diff(wantAnswers, answers); diff != "" {
			t.Errorf("%s: the answers (-without +with):\n%s", name, diff)
		}
	}
}
