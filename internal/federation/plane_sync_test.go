package federation_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

func TestChangesAreApplied(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	r.run(0, acme, cloud.InstanceStopped)  // changes
	r.run(2, bolt, cloud.InstanceRunning)  // changes hands
	r.run(8, acme, cloud.InstanceCreating) // is new
	r.run(9, acme, cloud.InstanceCreating) // is new, and gone again
	r.bury(instanceKey(9))
	r.bury(instanceKey(1))
	r.bury(clusterKey(0))
	r.sync()
	s.same(r)
	// What was buried may come back.
	r.run(1, bolt, cloud.InstanceStarting)
	r.sync()
	s.same(r)
	var names []string
	for _, in := range s.instances(acme) {
		names = append(names, fmt.Sprint(in.Name, " ", in.State))
	}
	if diff := gocmp.Diff([]string{"n0 stopped", "n8 creating"}, names); diff != "" {
		t.Errorf("acme's instances (-want +got):\n%s", diff)
	}
}

func TestSyncOutcomes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		from, to int // from what is applied
		changes  bool
		outcome  wire.SyncAnswerOutcome
		applied  int
	}{
		{"a heartbeat", 0, 0, false, wire.SyncAnswerOutcomeApplied, 0},
		{"a late heartbeat", -2, -2, false, wire.SyncAnswerOutcomeApplied, 0},
		{"a heartbeat ahead", 1, 1, false, wire.SyncAnswerOutcomeResync, 0},
		{"the next changes", 0, 2, true, wire.SyncAnswerOutcomeApplied, 2},
		{"changes without effect in sum", 0, 2, false, wire.SyncAnswerOutcomeApplied, 2},
		{"old changes", -2, -1, true, wire.SyncAnswerOutcomeApplied, 0},
		{"the last changes", -1, 0, true, wire.SyncAnswerOutcomeApplied, 0},
		{"changes after a gap", 1, 2, true, wire.SyncAnswerOutcomeResync, 0},
		{"changes that overlap", -1, 1, true, wire.SyncAnswerOutcomeResync, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t)
			r := joined(s, west)
			m := r.heartbeat()
			m.From, m.To = uint64(int(r.seq)+tt.from), uint64(int(r.seq)+tt.to)
			if tt.changes {
				o := wireObject(r.objects[instanceKey(0)])
				o.Rev, o.Body = m.To, json.RawMessage(strings.Replace(string(o.Body), "running", "stopped", 1))
				m.Upserts = []wire.Object{o}
			}
			before := s.stored(west, instanceKey(0))
			answer := r.send(m)
			if answer.Outcome != tt.outcome || answer.AppliedSeq != uint64(int(r.seq)+tt.applied) {
				t.Errorf("the answer is %+v, want %s at %+d", answer, tt.outcome, tt.applied)
			}
			if diff := gocmp.Diff(before, s.stored(west, instanceKey(0))); (diff != "") != (tt.applied > 0 && tt.changes) {
				t.Errorf("the copy changed so (-before +after):\n%s", diff)
			}
		})
	}
}

func TestARepeatedSyncHasNoEffect(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	r.run(0, acme, cloud.InstanceStopped)
	m := r.delta(r.applied)
	r.send(m)
	before := s.stored(west, instanceKey(0))
	s.pass(time.Second)
	if moved := s.touched(func() { r.send(m) }); len(moved) > 0 {
		t.Errorf("the second time moves %v", moved)
	}
	if diff := gocmp.Diff(before, s.stored(west, instanceKey(0))); diff != "" {
		t.Errorf("the second time (-before +after):\n%s", diff)
	}
	s.same(r)
}

func TestMalformedSyncs(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	r.run(0, acme, cloud.InstanceStopped)
	r.run(50, acme, cloud.InstanceStopped)
	before, copied := s.link(west), s.stored(west, instanceKey(0), instanceKey(50))
	body := func(change string, to string) func(*wire.SyncRequest) {
		return func(m *wire.SyncRequest) {
			m.Upserts[0].Body = json.RawMessage(strings.Replace(string(m.Upserts[0].Body), change, to, 1))
		}
	}
	tests := []struct {
		name string
		mend func(*wire.SyncRequest)
		code cloud.Code
		says string
	}{
		{"from after to", func(m *wire.SyncRequest) { m.From = m.To + 1 }, cloud.CodeInvalid, "from must not be after to"},
		{"beyond all numbers", func(m *wire.SyncRequest) { m.To = 1 << 63 }, cloud.CodeInvalid, "below 2^63"},
		{"a heartbeat with changes", func(m *wire.SyncRequest) { m.From = m.To }, cloud.CodeInvalid, "nothing can have changed"},
		{"a rev at from", func(m *wire.SyncRequest) { m.Upserts[0].Rev = m.From }, cloud.CodeInvalid, "rev must be over 5 and at most 7; got 5"},
		{"a rev over to", func(m *wire.SyncRequest) { m.Upserts[0].Rev = m.To + 1 }, cloud.CodeInvalid, "rev must be over"},
		{"a rev of a tombstone at from", func(m *wire.SyncRequest) {
			m.Tombstones = []wire.Tombstone{{Kind: wire.KindCluster, ID: string(clusterKey(0).ID), Rev: m.From}}
		}, cloud.CodeInvalid, "rev must be over"},
		{"a rev of a tombstone over to", func(m *wire.SyncRequest) {
			m.Tombstones = []wire.Tombstone{{Kind: wire.KindCluster, ID: string(clusterKey(0).ID), Rev: m.To + 1}}
		}, cloud.CodeInvalid, "rev must be over"},
		{"an object twice", func(m *wire.SyncRequest) { m.Upserts = append(m.Upserts, m.Upserts[0]) }, cloud.CodeInvalid, "once in a message"},
		{"an object that is and is gone", func(m *wire.SyncRequest) {
			m.Tombstones = []wire.Tombstone{{Kind: m.Upserts[0].Kind, ID: m.Upserts[0].ID, Rev: m.To}}
		}, cloud.CodeInvalid, "once in a message"},
		{"another kind", func(m *wire.SyncRequest) { m.Upserts[0].Kind = "volume" }, cloud.CodeInvalid, "kind must be one of"},
		{"no id", func(m *wire.SyncRequest) { m.Upserts[0].ID = "" }, cloud.CodeInvalid, "not a UUID"},
		{"an upper-case id", func(m *wire.SyncRequest) { m.Upserts[0].ID = strings.ToUpper(m.Upserts[0].ID) }, cloud.CodeInvalid, "lower case"},
		{"no body", func(m *wire.SyncRequest) { m.Upserts[0].Body = nil }, cloud.CodeInvalid, "not the JSON"},
		{"a body that is null", func(m *wire.SyncRequest) { m.Upserts[0].Body = json.RawMessage("null") }, cloud.CodeInvalid, "not a UUID"},
		{"a body that is no UTF-8", body(`"n`, "\"\xff"), cloud.CodeInvalid, "UTF-8"},
		{"another state", body(`"stopped"`, `"melting"`), cloud.CodeInvalid, "melting"},
		{"a body over its bound", body(`"name":`, `"x":"`+strings.Repeat("x", cloud.MaxObjectBody)+`","name":`), cloud.CodeTooLarge, "at most 65536"},
		{"an unknown source", body(`"engine"`, `"oracle"`), cloud.CodeInvalid, `the source "oracle"`},
		{"no source", body(`"engine"`, `""`), cloud.CodeInvalid, "source is missing"},
		{"a nameless source", func(m *wire.SyncRequest) { m.Sources[0].Name = "" }, cloud.CodeInvalid, "the name of a source"},
		{"a long name", func(m *wire.SyncRequest) { m.Sources[0].Name = strings.Repeat("s", 254) }, cloud.CodeInvalid, "the name of a source"},
		{"a source of the future", func(m *wire.SyncRequest) { m.Sources[0].AgeMs = -1 }, cloud.CodeInvalid, "age_ms"},
		{"a source beyond all ages", func(m *wire.SyncRequest) { m.Sources[0].AgeMs = 1 << 62 }, cloud.CodeInvalid, "age_ms"},
		{"a source twice", func(m *wire.SyncRequest) { m.Sources = append(m.Sources, m.Sources[0]) }, cloud.CodeInvalid, "named twice"},
		{"too many sources", func(m *wire.SyncRequest) { m.Sources = make([]wire.Source, 10_001) }, cloud.CodeInvalid, "at most 10000 sources"},
		{"too many upserts", func(m *wire.SyncRequest) { m.Upserts = make([]wire.Object, 1001) }, cloud.CodeInvalid, "at most 1000 upserts"},
		{"too many tombstones", func(m *wire.SyncRequest) { m.Tombstones = make([]wire.Tombstone, 1001) }, cloud.CodeInvalid, "at most 1000 tombstones"},
		{"half a digest", func(m *wire.SyncRequest) { m.Digest = &wire.Digest{Count: 1, Sum: "ab"} }, cloud.CodeInvalid, "64 hexadecimal"},
		{"no nonce", func(m *wire.SyncRequest) { m.Nonce = "" }, cloud.CodeInvalid, "nonce"},
	}
	for _, tt := range tests {
		m := r.delta(r.applied)
		slices.SortFunc(m.Upserts, func(a, b wire.Object) int { return strings.Compare(a.ID, b.ID) })
		tt.mend(&m)
		_, err := s.plane.Sync(t.Context(), r.peer(), m)
		refused(t, tt.name, err, tt.code)
		if err != nil && (!strings.Contains(err.Error(), tt.says) || len(err.Error()) > 500) {
			t.Errorf("%s: the message %q does not speak of %q", tt.name, err, tt.says)
		}
	}
	if diff := gocmp.Diff(before, s.link(west)); diff != "" {
		t.Errorf("the link changed (-before +after):\n%s", diff)
	}
	if diff := gocmp.Diff(copied, s.stored(west, instanceKey(0), instanceKey(50))); diff != "" {
		t.Errorf("the copy changed (-before +after):\n%s", diff)
	}
	r.sync() // as it is, it is accepted
	s.same(r)
}

func TestASourceHeardBeforeNeedNotBeNamedAgain(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	r.run(0, acme, cloud.InstanceStopped)
	m := r.delta(r.applied)
	m.Sources = nil
	r.send(m)
	s.same(r)
}

func TestFieldsThatThePlaneDoesNotKnowAreKept(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	r.set(instanceKey(0), map[string]any{
		"organization_id": acme, "project_id": project, "state": "running", "source": "engine", "gpus": 8,
	})
	r.sync()
	s.same(r)
}

func TestUpdatedAtAndStateSince(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	begin := s.clock()
	times := func() [2]time.Duration {
		o := s.stored(west, instanceKey(0))[instanceKey(0)]
		return [2]time.Duration{o.UpdatedAt.Sub(begin), o.StateSince.Sub(begin)}
	}
	step := func(what string, change func(), want [2]time.Duration) {
		t.Helper()
		s.pass(time.Minute)
		change()
		if got := times(); got != want {
			t.Errorf("after %s it is updated at %v, in its state since %v; want %v", what, got[0], got[1], want)
		}
	}
	const m = time.Minute
	step("a heartbeat", func() { r.send(r.heartbeat()) }, [2]time.Duration{0, 0})
	step("another name", func() {
		r.set(instanceKey(0), cloud.InstanceReport{OrganizationID: acme, ProjectID: project, Name: "new", State: "running", Source: "engine"})
		r.sync()
	}, [2]time.Duration{2 * m, 0})
	step("a change of another one", func() { r.run(1, bolt, cloud.InstanceStopped); r.sync() }, [2]time.Duration{2 * m, 0})
	step("another state", func() { r.run(0, acme, cloud.InstanceStopping); r.sync() }, [2]time.Duration{4 * m, 4 * m})
	step("there and back between syncs", func() {
		r.run(0, acme, cloud.InstanceStopped)
		r.run(0, acme, cloud.InstanceStopping)
		r.sync()
	}, [2]time.Duration{5 * m, 4 * m})
	step("a snapshot", func() { r.snapshot() }, [2]time.Duration{5 * m, 4 * m})
	step("a new incarnation", func() {
		r.incarnation = s.newID()
		r.hello()
		r.snapshot()
	}, [2]time.Duration{5 * m, 4 * m})
	step("a new incarnation with other revs", func() {
		r.incarnation = s.newID()
		for _, n := range []int{3, 2, 1, 0} {
			o := r.objects[instanceKey(n)]
			r.seq++
			o.Rev = r.seq
			r.objects[instanceKey(n)] = o
		}
		r.hello()
		r.snapshot()
	}, [2]time.Duration{5 * m, 4 * m})
	step("a snapshot with a change", func() { r.run(0, acme, cloud.InstanceStopped); r.snapshot() }, [2]time.Duration{9 * m, 9 * m})
	step("its end and return", func() {
		r.bury(instanceKey(0))
		r.sync()
		r.run(0, acme, cloud.InstanceStopped)
		r.sync()
	}, [2]time.Duration{10 * m, 10 * m})
	s.same(r)
}

func TestRevisionsMoveOnlyForWhatIsSeen(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	other := joined(s, east)
	expect := func(what string, want []string, action func()) {
		t.Helper()
		if got := s.touched(action); !slices.Equal(got, want) {
			t.Errorf("%s moves %v, want %v", what, got, want)
		}
	}
	expect("a heartbeat", nil, func() { s.pass(15 * time.Second); r.send(r.heartbeat()) })
	expect("a change", []string{"acme"}, func() { r.run(0, acme, cloud.InstanceStopped); r.sync() })
	expect("a change of hands", []string{"acme", "bolt"}, func() { r.run(0, bolt, cloud.InstanceStopped); r.sync() })
	expect("an end", []string{"bolt"}, func() { r.bury(instanceKey(0)); r.sync() })
	expect("the end of what was never seen", nil, func() {
		r.run(20, bolt, cloud.InstanceStopped)
		r.bury(instanceKey(20))
		r.sync()
	})
	expect("a snapshot that changes nothing", nil, r.snapshot)
	expect("a snapshot with a change", []string{"acme"}, func() { r.run(2, acme, cloud.InstanceStopped); r.snapshot() })
	expect("a snapshot with an end", []string{"bolt"}, func() { r.bury(instanceKey(3)); r.snapshot() })
	expect("an object held aside", nil, func() { other.run(1, bolt, cloud.InstanceRunning); other.sync() })
	expect("its end", nil, func() { other.bury(instanceKey(1)); other.sync() })
	expect("a report after a silence", []string{"health"}, func() { s.pass(time.Hour); r.hello(); r.send(r.heartbeat()) })
	expect("the next report", nil, func() { r.send(r.heartbeat()) })
}

func TestAHeartbeatWritesOneRow(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	s.store.wrote()
	s.pass(15 * time.Second)
	r.send(r.heartbeat())
	if got := s.store.wrote(); !slices.Equal(got, []string{"link"}) {
		t.Errorf("a heartbeat writes %v", got)
	}
}

func TestAnIDBelongsToTheRegionThatReportedItFirst(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r, other := joined(s, west), joined(s, east)
	other.run(0, bolt, cloud.InstanceStopped)
	other.sync()
	s.same(other) // it is part of what the region has, and of the digest
	if held := s.stored(east, instanceKey(0))[instanceKey(0)].Held; held != cloud.HeldForeignID {
		t.Errorf("the other region's claim is held for the reason %q", held)
	}
	if !strings.Contains(s.logged.String(), "held aside") {
		t.Error("nobody is told that an object is held")
	}
	owner := func() string {
		return read(s, func(tx cloud.Reader) (map[cloud.ObjectKey]string, error) {
			return tx.Owners([]cloud.ObjectKey{instanceKey(0)})
		})[instanceKey(0)]
	}
	if owner() != west {
		t.Errorf("it is shown in the name of %q", owner())
	}
	s.logged.Reset()
	other.run(0, bolt, cloud.InstanceRunning)
	other.sync()
	if strings.Contains(s.logged.String(), "held aside") {
		t.Error("a held object is news again at every change")
	}
	r.run(0, acme, cloud.InstanceStopping) // the owner goes on
	r.sync()
	s.same(r)
	s.same(other)

	// When the first region no longer has it, the other's next word counts.
	r.bury(instanceKey(0))
	r.sync()
	moved := s.touched(other.snapshot)
	if owner() != east || !slices.Equal(moved, []string{"bolt"}) {
		t.Errorf("it is shown in the name of %q, and moves %v", owner(), moved)
	}
	s.same(r)
	s.same(other)
}

func TestDigestsAreCompared(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	r.run(0, acme, cloud.InstanceStopped)
	m := r.delta(r.applied)
	right := wireDigest(r.digest())
	m.Digest = &right
	if answer := r.send(m); answer.Outcome != wire.SyncAnswerOutcomeApplied {
		t.Fatalf("an equal digest is answered with %s", answer.Outcome)
	}
	beat := r.heartbeat()
	wrong := wireDigest(cloud.Digest{Count: right.Count})
	beat.Digest = &wrong
	if answer := r.send(beat); answer.Outcome != wire.SyncAnswerOutcomeResync || answer.AppliedSeq != r.seq {
		t.Errorf("another digest is answered with %+v", answer)
	}
	if !strings.Contains(s.logged.String(), "digest_mismatch=true") {
		t.Errorf("nobody is told: %s", s.logged)
	}
	// Of another seq it says nothing.
	beat.From, beat.To = 1, 1
	if answer := r.send(beat); answer.Outcome != wire.SyncAnswerOutcomeApplied {
		t.Errorf("the digest of an old seq is answered with %s", answer.Outcome)
	}
	// Changes are kept even if it turns out that something else is missing.
	r.run(2, acme, cloud.InstanceStopped)
	m = r.delta(r.applied)
	m.Digest = &wrong
	if answer := r.send(m); answer.Outcome != wire.SyncAnswerOutcomeResync || answer.AppliedSeq != r.seq {
		t.Errorf("changes with another digest are answered with %+v", answer)
	}
	r.snapshot()
	s.same(r)
}

func TestEvidence(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	issued := s.clock()
	s.pass(10 * time.Second)
	m := r.heartbeat() // with a nonce of 10 s ago
	m.Sources = []wire.Source{{Name: "engine", AgeMs: 3000}, {Name: "host-7", AgeMs: 500}}
	r.send(m)
	l := s.link(west)
	want := map[string]time.Time{
		"engine": issued, // was known already
		"host-7": issued.Add(-500 * time.Millisecond),
		"prober": issued.Add(-time.Second),
	}
	if diff := gocmp.Diff(want, l.Sources); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	if !l.SyncedAt.Equal(s.clock()) {
		t.Errorf("synced at %v, want %v", l.SyncedAt, s.clock())
	}
}

func TestADelayedMessageIsAsOldAsItIs(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	m := r.heartbeat()
	s.pass(10 * time.Minute)
	r.send(m)
	if got := s.health(acme, instanceKey(0).ID); got != cloud.InstanceStale {
		t.Errorf("after a message that was under way for ten minutes it is %s, want stale", got)
	}
	s.pass(time.Microsecond)
	if got := s.health(acme, instanceKey(0).ID); got != cloud.InstanceOffline {
		t.Errorf("a moment later it is %s, want offline", got)
	}
	// Its answer had a new nonce, which proves more.
	r.send(r.heartbeat())
	if got := s.health(acme, instanceKey(0).ID); got != cloud.InstanceHealthy {
		t.Errorf("after the next one it is %s, want healthy", got)
	}
}

func TestResyncIsEvidenceToo(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	s.pass(time.Hour)
	r.hello()
	m := r.heartbeat()
	m.From, m.To = 50, 50
	if answer := r.send(m); answer.Outcome != wire.SyncAnswerOutcomeResync {
		t.Fatalf("answered with %s", answer.Outcome)
	}
	if got := s.health(acme, instanceKey(0).ID); got != cloud.InstanceHealthy {
		t.Errorf("it is %s, want healthy", got)
	}
}

func TestNonces(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r, other := joined(s, west), joined(s, east)
	good := r.nonce
	raw, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	if good == other.nonce {
		t.Error("two regions got one nonce")
	}
	before := s.link(west)
	bad := map[string]string{
		"none": "", "garbage": "not a nonce", "another region's": other.nonce,
		"cut": good[:len(good)-2], "longer": good + "AA", "padded": good + "=", "upper case": strings.ToUpper(good),
		"long": strings.Repeat("A", 1<<16),
	}
	for i := range raw {
		forged := slices.Clone(raw)
		forged[i] ^= 1
		bad[fmt.Sprint("byte ", i)] = base64.RawURLEncoding.EncodeToString(forged)
	}
	for name, nonce := range bad {
		m := r.heartbeat()
		m.Nonce = nonce
		_, err := s.plane.Sync(t.Context(), r.peer(), m)
		refused(t, "nonce "+name, err, cloud.CodeInvalid)
	}
	if diff := gocmp.Diff(before, s.link(west)); diff != "" {
		t.Errorf("the link changed (-before +after):\n%s", diff)
	}
}

func TestANonceOfAnyAgeIsAcceptedAndProvesItsAge(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	old := r.heartbeat()
	was := s.link(west).Sources["engine"]
	s.pass(365 * 24 * time.Hour)
	r.send(old)
	r.hello() // nor does a hello make it void
	old.Epoch = r.epoch
	r.send(old)
	if got := s.link(west).Sources["engine"]; !got.Equal(was) {
		t.Errorf("a nonce of a year ago moved the evidence from %v to %v", was, got)
	}
	if got := s.health(acme, instanceKey(0).ID); got != cloud.InstanceOffline {
		t.Errorf("the instance is %s, want offline", got)
	}
}

func TestANonceOfTheFutureProvesNothing(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	s.pass(-time.Second) // another replica is a little behind
	m := r.heartbeat()
	m.Sources = []wire.Source{{Name: "host-7"}}
	r.send(m)
	if got := s.link(west).Sources["host-7"]; !got.Equal(s.clock()) {
		t.Errorf("a source was heard at %v, after now, %v", got, s.clock())
	}
	m = r.heartbeat()
	s.pass(-24 * time.Hour) // the clock is set back
	_, err := s.plane.Sync(t.Context(), r.peer(), m)
	refused(t, "a nonce of tomorrow", err, cloud.CodeInvalid)
	if got := s.health(acme, instanceKey(0).ID); got == cloud.InstanceHealthy {
		t.Error("after the clock was set back, what was heard before counts as fresh for a day")
	}
	// Hello mends it.
	r.hello()
	r.send(r.heartbeat())
	if got := s.health(acme, instanceKey(0).ID); got != cloud.InstanceHealthy {
		t.Errorf("after a hello and a sync it is %s, want healthy", got)
	}
	s.pass(11 * time.Minute)
	if got := s.health(acme, instanceKey(0).ID); got != cloud.InstanceOffline {
		t.Errorf("after eleven silent minutes it is %s, want offline", got)
	}
}

func TestPace(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	if got := r.send(r.heartbeat()).NextInMs; got != 15_000 {
		t.Errorf("at the middle of the jitter the next sync is due in %d ms, want 15000", got)
	}
	for rnd, want := range map[float64]int{0: 12_000, 0.999999: 17_999} {
		s.rnd = rnd
		if got := r.send(r.heartbeat()).NextInMs; got != want {
			t.Errorf("at %v of the jitter the next sync is due in %d ms, want %d", rnd, got, want)
		}
	}
	s.rnd = 0.5
	// After a restart it comes soon, until it echoes a nonce of the new plane.
	s.restartPlane(3 * time.Second)
	if got := r.send(r.heartbeat()).NextInMs; got != 250 {
		t.Errorf("the first sync after a start asks for the next in %d ms, want 250", got)
	}
	if got := r.send(r.heartbeat()).NextInMs; got != 15_000 {
		t.Errorf("the second one in %d ms, want 15000", got)
	}
	// So it does after a long way.
	s.pass(time.Minute)
	if got := r.send(r.heartbeat()).NextInMs; got != 250 {
		t.Errorf("a sync that took a minute asks for the next in %d ms, want 250", got)
	}
	// A plane whose clock was set back after its start is not in a hurry all day.
	s.restartPlane(time.Second)
	s.pass(-24 * time.Hour)
	r.hello()
	if got := r.send(r.heartbeat()).NextInMs; got != 15_000 {
		t.Errorf("with a start in the future the next sync is due in %d ms, want 15000", got)
	}
}

func TestAfterARestartHealthWaitsForASync(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := joined(s, west)
	s.restartPlane(5 * time.Second)
	if got := s.health(acme, instanceKey(0).ID); got != cloud.InstanceStale {
		t.Errorf("after the start it is %s, want stale", got)
	}
	if moved := s.touched(func() { r.send(r.heartbeat()) }); !slices.Equal(moved, []string{"health"}) {
		t.Errorf("the first sync moves %v", moved)
	}
	if got := s.health(acme, instanceKey(0).ID); got != cloud.InstanceHealthy {
		t.Errorf("after the sync it is %s, want healthy", got)
	}
}
