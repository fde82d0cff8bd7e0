package federation_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

func TestPagesShowAtOnceAndWhatTheyLackStaysUntilTheCommit(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	r.bury(instanceKey(1))
	r.run(2, acme, cloud.InstanceStopped)
	r.run(7, acme, cloud.InstanceRunning)
	states := func() map[string]cloud.InstanceState {
		states := map[string]cloud.InstanceState{}
		for _, organization := range []cloud.ID{acme, bolt} {
			for _, in := range s.instances(organization) {
				states[in.Name] = in.State
			}
		}
		return states
	}
	id := r.begin()
	for number := range 2 {
		if err := r.put(id, number, r.page(number, 3)); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]cloud.InstanceState{"n0": "running", "n1": "running", "n2": "stopped", "n3": "running", "n7": "running"}
	if diff := gocmp.Diff(want, states()); diff != "" {
		t.Errorf("before the commit (-want +got):\n%s", diff)
	}
	if err := r.commit(id, r.digest()); err != nil {
		t.Fatal(err)
	}
	delete(want, "n1")
	if diff := gocmp.Diff(want, states()); diff != "" {
		t.Errorf("after the commit (-want +got):\n%s", diff)
	}
	s.same(r)
}

func TestDuringASnapshotOnlyHeartbeatsAreOfUse(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	id := r.begin()
	if err := r.put(id, 0, r.page(0, 3)); err != nil {
		t.Fatal(err)
	}
	at := r.clone()
	r.run(0, acme, cloud.InstanceStopped)
	before := s.stored(west, instanceKey(0))
	s.pass(time.Hour)
	if answer := r.send(r.delta(r.applied)); answer.Outcome != wire.SyncAnswerOutcomeResync {
		t.Errorf("changes are answered with %s", answer.Outcome)
	}
	if diff := gocmp.Diff(before, s.stored(west, instanceKey(0))); diff != "" {
		t.Errorf("the copy changed (-before +after):\n%s", diff)
	}
	beat := r.heartbeat()
	for _, seq := range []uint64{0, r.applied, r.seq, 1000} {
		beat.From, beat.To, beat.Nonce = seq, seq, r.nonce
		if answer := r.send(beat); answer.Outcome != wire.SyncAnswerOutcomeApplied {
			t.Errorf("a heartbeat at %d is answered with %s, which would begin the snapshot again", seq, answer.Outcome)
		}
	}
	if got := s.health(acme, instanceKey(0).ID); got != cloud.InstanceHealthy {
		t.Errorf("after heartbeats it is %s", got)
	}
	// The snapshot goes on as it was, and then the changes.
	if err := r.put(id, 1, at.page(1, 3)); err != nil {
		t.Fatal(err)
	}
	if err := r.commit(id, at.digest()); err != nil {
		t.Fatal(err)
	}
	at.applied, r.applied = at.seq, at.seq
	s.same(at)
	r.sync()
	s.same(r)
}

func TestARepeatedPageHasNoEffect(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	id := r.begin()
	if err := r.put(id, 0, r.page(0, 3)); err != nil {
		t.Fatal(err)
	}
	before := s.link(west)
	if err := r.put(id, 0, r.page(0, 3)); err != nil {
		t.Errorf("the same page again: %v", err)
	}
	if diff := gocmp.Diff(before, s.link(west)); diff != "" {
		t.Errorf("the link changed (-before +after):\n%s", diff)
	}
	if err := r.put(id, 1, r.page(1, 3)); err != nil {
		t.Fatal(err)
	}
	if err := r.put(id, 0, r.page(0, 3)); err != nil {
		t.Errorf("an older page again: %v", err)
	}
	if err := r.commit(id, r.digest()); err != nil {
		t.Error(err)
	}
	s.same(r)
}

func TestPagesOutOfOrderAreRefused(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	id := r.begin()
	for _, number := range []int{1, 2, 1 << 40, -1} {
		refused(t, "a page out of order", r.put(id, number, r.page(0, 3)), cloud.CodeInvalid)
	}
	if err := r.put(id, 0, r.page(0, 3)); err != nil {
		t.Error(err)
	}
}

func TestMalformedPages(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	id := r.begin()
	before := s.link(west)
	for name, tt := range map[string]struct {
		mend func(*wire.SnapshotPage)
		code cloud.Code
	}{
		"a rev over the snapshot's": {func(p *wire.SnapshotPage) { p.Upserts[0].Rev = r.seq + 1 }, cloud.CodeInvalid},
		"a rev of zero":             {func(p *wire.SnapshotPage) { p.Upserts[0].Rev = 0 }, cloud.CodeInvalid},
		"an object twice":           {func(p *wire.SnapshotPage) { p.Upserts = append(p.Upserts, p.Upserts[0]) }, cloud.CodeInvalid},
		"too many objects":          {func(p *wire.SnapshotPage) { p.Upserts = make([]wire.Object, 1001) }, cloud.CodeInvalid},
		"a broken body":             {func(p *wire.SnapshotPage) { p.Upserts[0].Body = json.RawMessage("{}") }, cloud.CodeInvalid},
		"a body over its bound": {func(p *wire.SnapshotPage) {
			p.Upserts[0].Body = json.RawMessage(`"` + strings.Repeat("x", cloud.MaxObjectBody) + `"`)
		}, cloud.CodeTooLarge},
	} {
		page := r.page(0, 3)
		tt.mend(&page)
		refused(t, name, r.put(id, 0, page), tt.code)
	}
	if diff := gocmp.Diff(before, s.link(west)); diff != "" {
		t.Errorf("the link changed (-before +after):\n%s", diff)
	}
}

func TestANewSnapshotAbandonsTheOneUnderWay(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	first := r.begin()
	if err := r.put(first, 0, r.page(0, 3)); err != nil {
		t.Fatal(err)
	}
	second := r.begin()
	refused(t, "a page of the first", r.put(first, 1, r.page(1, 3)), cloud.CodeNotFound)
	refused(t, "the commit of the first", r.commit(first, r.digest()), cloud.CodeNotFound)
	refused(t, "its first page for the second", r.put(second, 1, r.page(1, 3)), cloud.CodeInvalid)
	r.snapshot()
	s.same(r)
}

func TestHelloAbandonsTheSnapshotUnderWay(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	id := r.begin()
	if err := r.put(id, 0, r.page(0, 3)); err != nil {
		t.Fatal(err)
	}
	if next := r.hello(); next != wire.WelcomeNextSnapshot {
		t.Errorf("hello in a snapshot is answered with %s", next)
	}
	refused(t, "the next page", r.put(id, 1, r.page(1, 3)), cloud.CodeNotFound)
	refused(t, "the commit", r.commit(id, r.digest()), cloud.CodeNotFound)
	r.snapshot()
	s.same(r)
}

func TestASnapshotOfSomethingElseIsRefused(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	before := s.link(west)
	for name, mend := range map[string]func(*wire.SnapshotRequest){
		"another incarnation":   func(m *wire.SnapshotRequest) { m.Incarnation = string(s.newID()) },
		"no incarnation":        func(m *wire.SnapshotRequest) { m.Incarnation = "" },
		"a seq behind":          func(m *wire.SnapshotRequest) { m.Seq-- },
		"a seq beyond all":      func(m *wire.SnapshotRequest) { m.Seq = 1 << 63 },
		"an epoch never given":  func(m *wire.SnapshotRequest) { m.Epoch++ },
		"a zero for everything": func(m *wire.SnapshotRequest) { *m = wire.SnapshotRequest{} },
	} {
		m := r.beginMessage()
		mend(&m)
		_, err := s.plane.BeginSnapshot(t.Context(), r.peer(), m)
		refused(t, name, err, cloud.CodeInvalid)
	}
	if diff := gocmp.Diff(before, s.link(west)); diff != "" {
		t.Errorf("the link changed (-before +after):\n%s", diff)
	}
}

func TestACommitThatDoesNotMatchDeletesNothing(t *testing.T) {
	t.Parallel()
	tests := map[string]func(r *site) (pages int, digest cloud.Digest){
		"a page is missing": func(r *site) (int, cloud.Digest) { return 1, r.digest() },
		"another sum": func(r *site) (int, cloud.Digest) {
			d := r.digest()
			d.Sum[31] ^= 1
			return 2, d
		},
		"another count": func(r *site) (int, cloud.Digest) {
			d := r.digest()
			d.Count++
			return 2, d
		},
		"no page at all": func(r *site) (int, cloud.Digest) { return 0, r.digest() },
		// That the copy was right before does not make an empty snapshot right.
		"the digest of nothing for something": func(*site) (int, cloud.Digest) { return 2, cloud.Digest{} },
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t)
			r := joined(s, west)
			pages, digest := prepare(r)
			id := r.begin()
			for number := range pages {
				if err := r.put(id, number, r.page(number, 3)); err != nil {
					t.Fatal(err)
				}
			}
			refused(t, "the commit", r.commit(id, digest), cloud.CodeConflict)
			refused(t, "the commit, repeated", r.commit(id, digest), cloud.CodeNotFound)
			refused(t, "the right commit then", r.commit(id, r.digest()), cloud.CodeNotFound)
			if got := len(s.instances(acme)) + len(s.instances(bolt)); got != 4 {
				t.Errorf("%d instances are left of 4", got)
			}
			if answer := r.send(r.heartbeat()); answer.Outcome != wire.SyncAnswerOutcomeApplied {
				t.Errorf("a heartbeat is answered with %s", answer.Outcome)
			}
			r.snapshot()
			s.same(r)
		})
	}
}

func TestARepeatedCommitIsAcknowledged(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	r.bury(instanceKey(0))
	id := r.begin()
	for number := range 2 {
		if err := r.put(id, number, r.page(number, 3)); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.commit(id, r.digest()); err != nil {
		t.Fatal(err)
	}
	s.store.wrote()
	if err := r.commit(id, r.digest()); err != nil {
		t.Errorf("the same commit again: %v", err)
	}
	if got := s.store.wrote(); len(got) > 0 {
		t.Errorf("it wrote %v", got)
	}
	s.same(r)
	refused(t, "another digest then", r.commit(id, cloud.Digest{}), cloud.CodeNotFound)
	r.applied = r.seq
	r.run(3, bolt, cloud.InstanceStopped)
	old := r.clone()
	r.sync()
	refused(t, "a commit after the copy went on", old.commit(id, cloud.Digest{}), cloud.CodeNotFound)
	s.same(r)
}

func TestTheSnapshotOfAnEmptyRegion(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	joined(s, west)
	empty := newSite(s, west)
	empty.hello()
	empty.snapshot()
	s.same(empty)
	if got := len(s.instances(acme)); got != 0 {
		t.Errorf("%d instances are left", got)
	}
}

func TestASnapshotTakesNothingFromOtherRegions(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	joined(s, west)
	other := joined(s, east)
	empty := newSite(s, west)
	empty.hello()
	empty.snapshot()
	s.same(other)
}

func TestASnapshotMendsAnyCopy(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	// Rows of revs that the region never had, in its own incarnation.
	s.write(func(w cloud.Writer) error {
		o := s.stored(west, instanceKey(0))[instanceKey(0)]
		o.Rev = 1 << 40
		stray := o
		stray.ID = instanceKey(99).ID
		r.ever[instanceKey(99)] = true
		return w.PutObjects(r.incarnation, "", []cloud.StoredObject{o, stray})
	})
	r.snapshot()
	s.same(r)
}

func TestACommitIsAuditedWhenItRemovesSomething(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	begin := len(s.audited())
	r.snapshot()
	if got := len(s.audited()); got != begin {
		t.Errorf("a snapshot that removes nothing is audited")
	}
	r.bury(instanceKey(0))
	r.bury(instanceKey(1))
	moved := s.touched(r.snapshot)
	entries := s.audited()
	if len(entries) != begin+1 {
		t.Fatalf("%d audit entries were made, want 1", len(entries)-begin)
	}
	got := entries[begin]
	want := []string{"region.snapshot", west, string(cloud.ActorRegion), `"objects":5}`, `"objects":3}`}
	if !slices.Equal(want, []string{got.Action, got.Target, string(got.Actor.Kind), got.Before[len(got.Before)-12:], got.After[len(got.After)-12:]}) {
		t.Errorf("the entry is %+v", got)
	}
	if !slices.Equal(moved, []string{"acme", "bolt"}) {
		t.Errorf("it moves %v", moved)
	}
}

func TestAnObjectOfAnUnheardSourceIsOffline(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := newSite(s, west)
	r.run(0, acme, cloud.InstanceRunning)
	r.hello()
	r.snapshot()
	if got := s.health(acme, instanceKey(0).ID); got != cloud.InstanceOffline {
		t.Errorf("before its source was heard it is %s, want offline", got)
	}
	r.send(r.heartbeat())
	if got := s.health(acme, instanceKey(0).ID); got != cloud.InstanceHealthy {
		t.Errorf("after that it is %s, want healthy", got)
	}
}

// A begin that comes again when its snapshot is over leaves the region in the
// belief that all is well. Once it has the copies compared, it learns better.
func TestABeginThatComesAgainIsFoundOut(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	again := r.beginMessage()
	r.snapshot()
	if _, err := s.plane.BeginSnapshot(t.Context(), r.peer(), again); err != nil {
		t.Fatal(err)
	}
	if answer := r.send(r.heartbeat()); answer.Outcome != wire.SyncAnswerOutcomeApplied {
		t.Errorf("a heartbeat is answered with %s", answer.Outcome)
	}
	m := r.heartbeat()
	digest := wireDigest(r.digest())
	m.Digest = &digest
	if answer := r.send(m); answer.Outcome != wire.SyncAnswerOutcomeResync {
		t.Errorf("a comparison is answered with %s", answer.Outcome)
	}
	r.snapshot()
	s.same(r)
}
