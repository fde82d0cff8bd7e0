package federation_test

import (
	"fmt"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

// joined is a region with four instances and a cluster, all known to the
// plane.
func joined(s *stand, name string) *site {
	s.t.Helper()
	r := newSite(s, name)
	offset := map[string]int{west: 0, east: 100}[name]
	for n := range 4 {
		r.run(offset+n, []cloud.ID{acme, bolt}[n%2], cloud.InstanceRunning)
	}
	r.set(clusterKey(offset), cloud.ClusterReport{OrganizationID: acme, ProjectID: project, Type: cloud.ClusterSlurm, Source: "prober"})
	if next := r.hello(); next != wire.WelcomeNextSnapshot {
		s.t.Fatalf("the first hello is answered with %s", next)
	}
	r.send(r.heartbeat())
	r.snapshot()
	m := r.heartbeat()
	m.Sources = append(m.Sources, wire.Source{Name: "prober", AgeMs: 1000})
	r.send(m)
	s.same(r)
	return r
}

func TestAnEmptyRegionResumesAtOnce(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := newSite(s, west)
	if next := r.hello(); next != wire.WelcomeNextResume || r.epoch == 0 || r.applied != 0 {
		t.Errorf("hello is answered with %s, epoch %d, applied %d", next, r.epoch, r.applied)
	}
	s.same(r)
	r.run(1, acme, cloud.InstanceRunning)
	r.sync()
	s.same(r)
}

func TestARegionThatIsNotEmptyDoesNotResumeAtFirst(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	for name, prepare := range map[string]func(*site){
		"seq without objects": func(r *site) { r.run(1, acme, cloud.InstanceRunning); r.bury(instanceKey(1)) },
		"objects without seq": func(r *site) { r.run(1, acme, cloud.InstanceRunning); r.seq = 0 },
	} {
		r := newSite(s, west)
		prepare(r)
		if next := r.hello(); next != wire.WelcomeNextSnapshot {
			t.Errorf("%s: hello is answered with %s", name, next)
		}
		s.write(func(w cloud.Writer) error { return w.PutLink(cloud.Link{Region: west}) })
	}
}

func TestHelloSaysWhereToGoOn(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		happen func(*site)
		next   wire.WelcomeNext
	}{
		{"nothing happened", func(*site) {}, wire.WelcomeNextResume},
		{"the region went on", func(r *site) { r.run(9, acme, cloud.InstanceRunning) }, wire.WelcomeNextResume},
		{"the region lost its last change", func(r *site) { r.forgetLast() }, wire.WelcomeNextRenew},
		{"the region lost everything but its name", func(r *site) {
			r.seq, r.objects = 0, map[cloud.ObjectKey]cloud.Object{}
		}, wire.WelcomeNextRenew},
		{"the region's last change was another one", func(r *site) {
			o := r.objects[instanceKey(0)]
			o.Body = []byte(strings.Replace(string(o.Body), "running", "stopped", 1))
			r.objects[o.ObjectKey] = o
		}, wire.WelcomeNextRenew},
		{"the region renewed its incarnation", func(r *site) { r.incarnation = r.s.newID() }, wire.WelcomeNextSnapshot},
		{"the region began anew", func(r *site) {
			*r = *newSite(r.s, r.name)
		}, wire.WelcomeNextSnapshot},
		{"a snapshot was left halfway", func(r *site) {
			id := r.begin()
			if err := r.put(id, 0, r.page(0, 3)); err != nil {
				r.s.t.Fatal(err)
			}
		}, wire.WelcomeNextSnapshot},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t)
			r := joined(s, west)
			tt.happen(r)
			before := s.link(west)
			next := r.hello()
			if next != tt.next {
				t.Errorf("hello is answered with %s, want %s", next, tt.next)
			}
			if after := s.link(west); after.Epoch <= before.Epoch || r.epoch != after.Epoch {
				t.Errorf("from epoch %d hello leads to %d and tells %d", before.Epoch, after.Epoch, r.epoch)
			}
			// Whatever it is, following the answer leads to an equal copy.
			if next == wire.WelcomeNextRenew {
				if again := r.hello(); again != wire.WelcomeNextRenew {
					t.Errorf("saying it again is answered with %s", again)
				}
				r.incarnation = s.newID()
				next = r.hello()
			}
			if next == wire.WelcomeNextSnapshot {
				r.snapshot()
			} else {
				r.sync()
			}
			s.same(r)
		})
	}
}

func TestAnOldIncarnationThatComesBackSendsASnapshot(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	old := joined(s, west)
	young := newSite(s, west)
	young.run(77, bolt, cloud.InstanceRunning)
	young.ever = old.ever
	young.ever[instanceKey(77)] = true

	// The young one gets as far as its first page.
	if next := young.hello(); next != wire.WelcomeNextSnapshot {
		t.Fatalf("a new incarnation is answered with %s", next)
	}
	if err := young.put(young.begin(), 0, young.page(0, 3)); err != nil {
		t.Fatal(err)
	}
	if next := old.hello(); next != wire.WelcomeNextSnapshot {
		t.Errorf("the old incarnation is answered with %s, and the copy is a mixture", next)
	}
	old.snapshot()
	s.same(old)

	// And even when it got no further than its hello.
	young.hello()
	if next := old.hello(); next != wire.WelcomeNextSnapshot {
		t.Errorf("the old incarnation is answered with %s", next)
	}
	old.snapshot()
	s.same(old)
}

func TestAfterAHelloThatDoesNotResumeChangesAreRefused(t *testing.T) {
	t.Parallel()
	for name, happen := range map[string]func(*site){
		"another incarnation": func(r *site) { r.incarnation = r.s.newID() },
		"behind":              (*site).forgetLast,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t)
			r := joined(s, west)
			was := s.stored(west, instanceKey(0), instanceKey(1))
			happen(r)
			r.hello()
			// A region that goes on as if nothing had been said.
			m := r.heartbeat()
			m.From, m.To = 5, 6
			changed := r.objects[instanceKey(0)]
			changed.Rev, changed.Body = 6, []byte(strings.Replace(string(changed.Body), "running", "stopped", 1))
			m.Upserts = []wire.Object{wireObject(changed)}
			for _, from := range []uint64{5, s.link(west).AppliedSeq, 0} {
				m.From = from
				if answer := r.send(m); answer.Outcome != wire.SyncAnswerOutcomeResync {
					t.Errorf("changes from %d are answered with %s", from, answer.Outcome)
				}
			}
			if diff := gocmp.Diff(was, s.stored(west, instanceKey(0), instanceKey(1))); diff != "" {
				t.Errorf("the copy changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestOnlyTheLastEpochIsListenedTo(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	first := joined(s, west)
	old := first.clone()
	old.run(0, acme, cloud.InstanceStopped)
	first.hello()
	before, copied := s.link(west), s.stored(west, instanceKey(0))
	ctx := t.Context()

	snapshot := first.begin()
	before.Snapshot = s.link(west).Snapshot
	attempt := func(epoch uint64) map[string]error {
		m := old.delta(old.applied)
		m.Epoch = epoch
		_, syncErr := s.plane.Sync(ctx, old.peer(), m)
		beat := old.heartbeat()
		beat.Epoch = epoch
		_, beatErr := s.plane.Sync(ctx, old.peer(), beat)
		_, beginErr := s.plane.BeginSnapshot(ctx, old.peer(), wire.SnapshotRequest{Epoch: epoch, Incarnation: string(old.incarnation), Seq: old.seq})
		return map[string]error{
			"changes": syncErr, "heartbeat": beatErr, "begin": beginErr,
			"page":   s.plane.PutPage(ctx, old.peer(), snapshot, 0, wire.SnapshotPage{Epoch: epoch}),
			"commit": s.plane.CommitSnapshot(ctx, old.peer(), snapshot, wire.SnapshotCommit{Epoch: epoch, Digest: wireDigest(cloud.Digest{})}),
		}
	}
	for what, err := range attempt(old.epoch) {
		refused(t, what+" of a lower epoch", err, cloud.CodeConflict)
	}
	for _, epoch := range []uint64{0, first.epoch + 1, 1<<63 - 1, 1<<64 - 1} {
		for what, err := range attempt(epoch) {
			refused(t, what+" of an epoch never granted", err, cloud.CodeInvalid)
		}
	}
	if diff := gocmp.Diff(before, s.link(west)); diff != "" {
		t.Errorf("the link changed (-before +after):\n%s", diff)
	}
	if diff := gocmp.Diff(copied, s.stored(west, instanceKey(0))); diff != "" {
		t.Errorf("the copy changed (-before +after):\n%s", diff)
	}
}

func TestBeforeTheFirstHelloNothingIsAccepted(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := newSite(s, west)
	_, err := s.plane.Sync(t.Context(), r.peer(), r.heartbeat())
	refused(t, "a sync of epoch 0", err, cloud.CodeInvalid)
}

// A daemon that was given another region's credential by mistake must neither
// report in that one's name nor fence it.
func TestHelloInAnothersName(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	own, other := west, east
	m := r.helloMessage()
	m.Region = &other
	if _, err := s.plane.Hello(t.Context(), r.peer(), m); cloud.CodeOf(err) != cloud.CodeForbidden {
		t.Errorf("got %v; want %s", err, cloud.CodeForbidden)
	}
	r.send(r.heartbeat())
	m.Region = &own
	if _, err := s.plane.Hello(t.Context(), r.peer(), m); err != nil {
		t.Error(err)
	}
}

// Who took over the epoch, and from where, is in the audit.
func TestHelloIsAudited(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := newSite(s, west)
	r.hello()
	first, one := r.incarnation, r.epoch
	r.hello()
	two := r.epoch
	r.incarnation = s.newID()
	r.hello()
	state := func(incarnation cloud.ID, epoch uint64) string {
		return fmt.Sprintf(`{"incarnation":"%s","epoch":%d,"applied_seq":0}`, incarnation, epoch)
	}
	entry := func(action, before, after string) cloud.AuditEntry {
		return cloud.AuditEntry{
			At: s.clock(), Actor: cloud.Actor{Kind: cloud.ActorRegion, ID: west}, Action: action, Target: west,
			Before: before, After: after, Origin: r.peer().Origin,
		}
	}
	want := []cloud.AuditEntry{
		entry("region.incarnation", state("", 0), state(first, one)),
		entry("region.epoch", state(first, one), state(first, two)),
		entry("region.incarnation", state(first, two), state(r.incarnation, r.epoch)),
	}
	got := s.audited()
	for i := range got {
		got[i].ID = ""
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A plane that was put back from a copy has forgotten what it granted since, and
// must not grant it to another daemon.
func TestAnEpochIsGrantedOnce(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	old := joined(s, west)
	backup := s.link(west)
	old.hello()
	s.write(func(w cloud.Writer) error { return w.PutLink(backup) })
	s.rnd = 0.75
	rival := old.clone()
	rival.hello()
	if rival.epoch == old.epoch {
		t.Errorf("two daemons are granted the epoch %d", old.epoch)
	}
	_, err := s.plane.Sync(t.Context(), old.peer(), old.heartbeat())
	refused(t, "a heartbeat of the first", err, cloud.CodeConflict)
}

func TestHelloIsNoEvidence(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	before := s.link(west)
	s.pass(3600e9)
	moved := s.touched(func() { r.hello() })
	after := s.link(west)
	if !after.SyncedAt.Equal(before.SyncedAt) || len(moved) > 0 {
		t.Errorf("hello counts as a sync: at %v, moved %v", after.SyncedAt, moved)
	}
}

func TestMalformedHellos(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	before := s.link(west)
	for name, mend := range map[string]func(*wire.HelloRequest){
		"no incarnation":         func(m *wire.HelloRequest) { m.Incarnation = "" },
		"upper-case incarnation": func(m *wire.HelloRequest) { m.Incarnation = strings.ToUpper(m.Incarnation) },
		"a seq beyond":           func(m *wire.HelloRequest) { m.Seq = 1 << 63 },
		"no digest":              func(m *wire.HelloRequest) { m.Digest = wire.Digest{} },
		"a negative count":       func(m *wire.HelloRequest) { m.Digest.Count = -1 },
	} {
		m := r.helloMessage()
		mend(&m)
		_, err := s.plane.Hello(t.Context(), r.peer(), m)
		refused(t, name, err, cloud.CodeInvalid)
	}
	if diff := gocmp.Diff(before, s.link(west)); diff != "" {
		t.Errorf("the link changed (-before +after):\n%s", diff)
	}
}
