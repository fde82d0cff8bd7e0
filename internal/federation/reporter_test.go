package federation_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
	"github.com/penstock-cloud/penstock/internal/federation"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
	"github.com/penstock-cloud/penstock/internal/region"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
	"github.com/penstock-cloud/penstock/internal/store/sqlite/sqlitetest"
)

func numbered(n int) cloud.ID { return cloud.ID(fmt.Sprintf("0190a1c0-0000-7000-8000-%012d", n)) }

func key(n int) cloud.ObjectKey { return cloud.ObjectKey{Kind: cloud.KindInstance, ID: numbered(n)} }

func instance(n int, state cloud.InstanceState) engine.Instance {
	return engine.Instance{ID: numbered(n), InstanceReport: cloud.InstanceReport{
		OrganizationID: acme, ProjectID: project, Name: fmt.Sprintf("trainer-%d", n),
		// A name that JSON may be written with in several ways, and must not be.
		Tags: map[string]string{"note": "a<b & \u2028"},
		Type: "gpu.h100.8x", State: state, Image: "image://ubuntu22.04", Source: "host-01",
	}}
}

// world is a region on a real database, a plane, and the network between
// them, in a bubble in which time is the test's.
type world struct {
	t       *testing.T
	dir     string
	store   *sqlite.Region
	region  *region.Region
	plane   *fakePlane
	network *network
	log     bytes.Buffer
	logger  *slog.Logger // writes to log, for daemons that run at once too
	jitter  func() float64
	ids     int

	credential cloud.Secret
	grants     federation.GrantKeeper // nil for none
	reporter   *federation.Reporter
	cancel     context.CancelFunc
	ended      chan struct{} // closed when Run has returned
	err        error         // what it returned
}

// inBubble runs a story that begins with a region of nothing.
func inBubble(t *testing.T, story func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, dir: t.TempDir(), plane: newFakePlane(t), jitter: func() float64 { return 0.5 }, credential: cloud.NewSecret(credential)}
		w.logger = slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		w.network = &network{}
		w.network.serve(w.plane.handler())
		w.open("region.db")
		defer func() {
			if w.cancel != nil {
				w.stop()
			}
			_ = w.store.Close()
			if t.Failed() {
				t.Logf("the log:\n%s", w.log.String())
			}
			if strings.Contains(w.log.String(), w.credential.Reveal()) {
				t.Error("the credential is in the log")
			}
		}()
		story(t, w)
	})
}

func (w *world) newID() cloud.ID {
	w.ids++
	return numbered(1_000_000 + w.ids)
}

func (w *world) open(file string) {
	w.t.Helper()
	var err error
	if w.store, err = sqlite.OpenRegion(w.t.Context(), sqlitetest.Region(w.t, filepath.Join(w.dir, file)), w.newID); err != nil {
		w.t.Fatal(err)
	}
	w.restartRegion()
}

// restartRegion forgets what is not in the region's database.
func (w *world) restartRegion() {
	w.region = region.New(region.Config{
		Store: w.store, Log: slog.New(slog.DiscardHandler), NewID: w.newID, Now: time.Now, After: time.After,
	})
}

func (w *world) link() federation.ReporterConfig {
	return federation.ReporterConfig{
		Origin: w.region, Region: west, Plane: "https://plane.example.com", Credential: w.credential,
		Log: w.logger, Transport: w.network, Fenced: w.region.Fence, Grants: w.grants,
		Now: time.Now, After: time.After, Jitter: w.jitter,
	}
}

// start begins to report.
func (w *world) start() {
	w.t.Helper()
	var err error
	w.reporter, err = federation.NewReporter(w.link())
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	w.cancel, w.ended = cancel, make(chan struct{})
	go func() {
		defer close(w.ended)
		w.err = w.reporter.Run(ctx)
	}()
	synctest.Wait()
}

// stop ends reporting, which must be prompt.
func (w *world) stop() {
	w.t.Helper()
	w.cancel()
	w.cancel = nil
	if <-w.ended; !errors.Is(w.err, context.Canceled) && !errors.Is(w.err, federation.ErrFenced) {
		w.t.Errorf("Run returned %v", w.err)
	}
}

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *world) observe(instances ...engine.Instance) {
	w.t.Helper()
	for chunk := range slices.Chunk(instances, engine.MaxBatch) {
		if err := w.region.Observe(w.t.Context(), engine.Batch{Source: "host-01", Instances: chunk}); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) bury(keys ...cloud.ObjectKey) {
	w.t.Helper()
	if err := w.region.Observe(w.t.Context(), engine.Batch{Source: "host-01", Gone: keys}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) fleet(from, to int, state cloud.InstanceState) {
	w.t.Helper()
	var instances []engine.Instance
	for n := from; n < to; n++ {
		instances = append(instances, instance(n, state))
	}
	w.observe(instances...)
}

func (w *world) identity() (id cloud.RegionIdentity) {
	w.t.Helper()
	err := w.region.Read(w.t.Context(), func(tx cloud.RegionReader) (err error) {
		id, err = tx.Identity()
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// converged demands that the plane has what the region has.
func (w *world) converged() {
	w.t.Helper()
	var own []cloud.Object
	err := w.region.Read(w.t.Context(), func(tx cloud.RegionReader) (err error) {
		own, err = tx.Objects(cloud.ObjectKey{}, 1_000_000)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	id := w.identity()
	if d := cmp.Diff(summaries(own), summaries(w.plane.copy())); d != "" {
		w.t.Errorf("the plane's copy is not the region's list (-region +plane)\n%.2000s", d)
	}
	w.plane.with(func(s *planeState) {
		if s.applied != id.Seq || s.incarnation != string(id.Incarnation) || w.plane.digest() != id.Digest {
			w.t.Errorf("the plane is at %d of %s with %v, the region at %d of %s with %v",
				s.applied, s.incarnation, w.plane.digest(), id.Seq, id.Incarnation, id.Digest)
		}
	})
}

// summaries makes large lists quick to compare.
func summaries(objects []cloud.Object) map[cloud.ObjectKey]string {
	m := make(map[cloud.ObjectKey]string, len(objects))
	for _, o := range objects {
		m[o.ObjectKey] = fmt.Sprintf("%d %.200s %x", o.Rev, o.Body, sha256.Sum256(o.Body))
	}
	return m
}

func count(operations []string, name string) (n int) {
	for _, o := range operations {
		if o == name {
			n++
		}
	}
	return n
}

func TestBeginsWithASnapshotAndGoesOnWithChanges(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.fleet(0, 1100, cloud.InstanceRunning)
		w.start()
		want := []string{
			"Hello", "Sync", "BeginSnapshot", "PutSnapshotPage", "PutSnapshotPage", "CommitSnapshot", "Sync",
		}
		if d := cmp.Diff(want, w.plane.operations()); d != "" {
			t.Errorf("messages (-want +got)\n%s", d)
		}
		if first := w.plane.received()[1].Sync; len(first.Sources) != 1 || first.Sources[0].Name != "host-01" {
			t.Errorf("the first sync tells of the sources %v, want host-01", first.Sources)
		}
		w.converged()

		w.observe(instance(1, cloud.InstanceStopping), instance(9999, cloud.InstanceCreating))
		w.pass(50 * time.Millisecond)
		w.bury(key(2))
		w.pass(50 * time.Millisecond)
		w.observe(instance(1, cloud.InstanceStopped))
		w.pass(100 * time.Millisecond)
		w.converged()
		last := w.plane.received()
		m := last[len(last)-1].Sync
		if len(last) != len(want)+1 || m == nil || m.From != 1100 || m.To != 1104 || len(m.Upserts) != 2 || len(m.Tombstones) != 1 {
			t.Errorf("%d messages, the last is %+v; want one more, of three changes", len(last), m)
		}
		s := w.reporter.Status()
		if s.State != federation.ReporterSyncing || s.Applied != 1104 || s.Snapshots != 1 || s.LastError != "" {
			t.Errorf("the status is %+v", s)
		}
	})
}

func TestManyChangesGoInMessagesWithinBounds(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.start()
		before := len(w.plane.received())
		w.fleet(0, 1100, cloud.InstanceCreating)
		w.pass(200 * time.Millisecond)
		w.converged()
		if n := len(w.plane.received()) - before; n != 2 {
			t.Errorf("1,100 changes went in %d messages, want 2", n)
		}
		// Of 60 KiB each: the plane of the tests refuses more than 4 MiB.
		var large []engine.Instance
		for n := range 80 {
			i := instance(n, cloud.InstanceRunning)
			i.Tags = map[string]string{"blob": strings.Repeat("x", 60<<10)}
			large = append(large, i)
		}
		for n := range 3000 { // more than fit into a message
			if err := w.region.Heard(fmt.Sprintf("%0253d", n)); err != nil {
				t.Fatal(err)
			}
		}
		w.observe(large...)
		w.pass(200 * time.Millisecond)
		w.converged()
		w.stop()
		w.plane.with(func(s *planeState) { s.incarnation = "" })
		w.start()
		w.converged()
	})
}

func TestHeartbeats(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.fleet(0, 3, cloud.InstanceRunning)
		w.start()
		w.pass(time.Second)
		begun := len(w.plane.received())
		nonce := ""
		w.plane.with(func(*planeState) { nonce = fmt.Sprintf("nonce-%d", w.plane.nonces) })
		w.pass(10 * time.Minute)
		beats := w.plane.received()[begun:]
		if len(beats) != 40 {
			t.Errorf("%d heartbeats in 10 minutes of an interval of 15 s, want 40", len(beats))
		}
		digests := 0
		for i, b := range beats {
			m := b.Sync
			if m == nil || m.From != 3 || m.To != 3 || len(m.Upserts)+len(m.Tombstones) > 0 {
				t.Fatalf("heartbeat %d is %+v", i, b)
			}
			if i == 0 && m.Nonce != nonce {
				t.Errorf("the nonce is %s, want the last one issued, %s", m.Nonce, nonce)
			}
			if want := time.Duration(i+1) * 15 * time.Second; m.Sources[0].AgeMs != want.Milliseconds() {
				t.Errorf("heartbeat %d: host-01 was heard %d ms before, want %v", i, m.Sources[0].AgeMs, want)
			}
			if m.Digest != nil {
				digests++
			}
		}
		if digests != 2 {
			t.Errorf("the digest was sent %d times in 10 minutes, want 2", digests)
		}
	})
}

// The plane says when a region without changes is to report next, within
// bounds.
func TestThePlanePacesTheRegion(t *testing.T) {
	t.Parallel()
	for asked, want := range map[time.Duration]time.Duration{
		-time.Second:            100 * time.Millisecond,
		0:                       100 * time.Millisecond,
		99 * time.Millisecond:   100 * time.Millisecond,
		1234 * time.Millisecond: 1234 * time.Millisecond,
		10 * time.Minute:        10 * time.Minute,
		time.Hour:               10 * time.Minute,
	} {
		t.Run(asked.String(), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, w *world) {
				w.plane.interval = asked
				w.start()
				w.pass(3 * want)
				beats := w.plane.received()
				if len(beats) < 3 {
					t.Fatalf("%d messages in %v", len(beats), 3*want)
				}
				for i, b := range beats[len(beats)-2:] {
					if got := b.At.Sub(beats[len(beats)-3+i].At); got != want {
						t.Errorf("a heartbeat came after %v, want %v", got, want)
					}
				}
			})
		})
	}
}

func TestResumesWhereThePlaneIs(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.fleet(0, 10, cloud.InstanceRunning)
		w.start()
		w.stop()
		w.observe(instance(3, cloud.InstanceStopping))
		w.bury(key(4))
		w.start()
		w.converged()
		if n := count(w.plane.operations(), "BeginSnapshot"); n != 1 {
			t.Errorf("%d snapshots, want the first one only", n)
		}
	})
}

// A daemon that is started again with nothing to tell says so in one message.
func TestResumesWithoutAnythingToSend(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.fleet(0, 10, cloud.InstanceRunning)
		w.start()
		w.stop()
		before := len(w.plane.received())
		w.restartRegion()
		w.start()
		w.converged()
		if d := cmp.Diff([]string{"Hello", "Sync"}, w.plane.operations()[before:]); d != "" {
			t.Errorf("messages (-want +got)\n%s", d)
		}
		last := w.plane.received()
		if m := last[len(last)-1].Sync; m.From != m.To || len(m.Upserts)+len(m.Tombstones) > 0 {
			t.Errorf("the sync is %+v, want a heartbeat", m)
		}
	})
}

func TestSnapshotWhileChangesGoOn(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.fleet(0, 1100, cloud.InstanceRunning)
		w.plane.slow["PutSnapshotPage"] = 25 * time.Second
		w.start()
		for n := range 60 {
			w.observe(instance(n*10, cloud.InstanceStopping))
			w.bury(key(n*10 + 1))
			w.pass(time.Second)
		}
		w.pass(time.Minute)
		w.converged()
		operations := w.plane.operations()
		begun, committed := slices.Index(operations, "BeginSnapshot"), slices.Index(operations, "CommitSnapshot")
		if count(operations, "BeginSnapshot") != 1 || begun < 0 || committed < 0 {
			t.Fatalf("the messages are %v, want one snapshot", operations)
		}
		beats := 0
		for _, m := range w.plane.received()[begun:committed] {
			if m.Sync == nil {
				continue
			}
			beats++
			if m.Sync.From != m.Sync.To || len(m.Sync.Upserts) > 0 {
				t.Errorf("a change went out during the snapshot: %+v", m.Sync)
			}
		}
		if beats != 2 {
			t.Errorf("%d heartbeats during a snapshot of two pages that took 25 s each, want one after each", beats)
		}
	})
}

// Whatever becomes of the messages, once the network is quiet the plane has
// what the region has.
func TestConvergesThroughChaos(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, w *world) {
				chance := rand.New(rand.NewPCG(seed, 1))
				network := rand.New(rand.NewPCG(seed, 2))
				jitter := rand.New(rand.NewPCG(seed, 3))
				w.jitter = jitter.Float64
				fates := []fate{arrives, arrives, arrives, arrives, lost, unanswered, doubled, late, broken}
				w.network.decide(func(string) fate { return fates[network.IntN(len(fates))] })
				w.fleet(0, 30, cloud.InstanceRunning)
				w.start()
				var backup planeState
				for round := range 150 {
					switch n := chance.IntN(60); chance.IntN(4) {
					case 0:
						w.bury(key(n))
					case 1:
						w.observe(instance(n, cloud.InstanceStates[chance.IntN(8)]), instance(n+1, cloud.InstanceRunning))
					}
					switch {
					case round == 40:
						w.plane.with(func(s *planeState) { backup = s.clone() })
					case round == 90: // the plane comes back from its backup, its epochs apart
						w.plane.with(func(s *planeState) {
							epoch := s.epoch
							*s = backup.clone()
							s.epoch = epoch
						})
					case chance.IntN(50) == 0: // the daemon is started again
						w.stop()
						w.start()
					}
					w.pass(time.Duration(chance.IntN(3000)) * time.Millisecond)
					select {
					case <-w.ended:
						t.Fatalf("the reporter ended by itself: %v", w.err)
					default:
					}
				}
				w.network.decide(nil)
				w.pass(15 * time.Minute)
				w.converged()
			})
		})
	}
}

func TestPlaneWithAnOlderState(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.fleet(0, 10, cloud.InstanceRunning)
		w.start()
		var backup planeState
		w.plane.with(func(s *planeState) { backup = s.clone() })
		w.fleet(5, 15, cloud.InstanceStopped)
		w.bury(key(0))
		w.pass(time.Second)
		w.plane.with(func(s *planeState) { *s = backup })
		w.pass(time.Minute)
		w.converged()
	})
}

// A copy that is not what it should be, at the seq at which it should be, is
// found by its digest.
func TestDamagedCopyIsMended(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.fleet(0, 10, cloud.InstanceRunning)
		w.start()
		w.plane.with(func(s *planeState) { delete(s.objects, key(3)) })
		w.pass(6 * time.Minute)
		w.converged()
	})
}

// A region's database that was restored from a copy begins a new incarnation,
// whether the plane sees at once that it is older, or later that it differs.
func TestRegionFromABackup(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		onwards int // changes after the restore and before the first hello
	}{{"behind", 2}, {"at the same seq", 5}, {"ahead", 20}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, w *world) {
				w.fleet(0, 10, cloud.InstanceRunning)
				w.start()
				w.fleet(0, 5, cloud.InstanceStopping)
				w.pass(time.Second)
				w.converged()
				w.stop()
				incarnation := w.identity().Incarnation
				// The copy has the first ten changes only.
				_ = w.store.Close()
				w.open("restored.db")
				w.fleet(0, 10, cloud.InstanceRunning)
				if err := w.store.Write(t.Context(), func(tx cloud.RegionWriter) error {
					id, err := tx.Identity()
					id.Incarnation = incarnation
					return errors.Join(err, tx.SetIdentity(id))
				}); err != nil {
					t.Fatal(err)
				}
				w.fleet(5, 5+min(c.onwards, 5), cloud.InstanceError)
				w.fleet(100, 100+c.onwards-min(c.onwards, 5), cloud.InstanceRunning)
				w.start()
				w.pass(10 * time.Minute)
				w.converged()
				if w.identity().Incarnation == incarnation {
					t.Error("the incarnation is the one of the database that was lost")
				}
			})
		})
	}
}

// A plane that has seen everything up to the last tombstone that was forgotten
// needs only changes; one that has not needs a snapshot.
func TestTooFarBehindForChanges(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ forgotten, snapshots int }{
		"nothing that it lacks": {0, 1},
		"one that it lacks":     {1, 2},
		"all that it lacks":     {3, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, w *world) {
				w.fleet(0, 10, cloud.InstanceRunning)
				w.bury(key(0))
				w.start()
				w.stop()
				applied := w.identity().Seq
				w.bury(key(1), key(2), key(3))
				if err := w.store.Write(t.Context(), func(tx cloud.RegionWriter) error {
					id, err := tx.Identity()
					if err != nil {
						return err
					}
					if id.Floor, err = tx.PruneTombstones(applied+uint64(c.forgotten), time.Now().Add(time.Hour)); err != nil {
						return err
					}
					return tx.SetIdentity(id)
				}); err != nil {
					t.Fatal(err)
				}
				w.start()
				w.pass(time.Second)
				w.converged()
				if n := count(w.plane.operations(), "BeginSnapshot"); n != c.snapshots {
					t.Errorf("%d snapshots, want %d", n, c.snapshots)
				}
			})
		})
	}
}

func TestLostAnswersCostNoSnapshot(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.fleet(0, 10, cloud.InstanceRunning)
		w.start()
		for round := range 5 {
			w.network.decide(func(string) fate { return unanswered })
			w.observe(instance(round, cloud.InstanceStopping))
			w.pass(201 * time.Millisecond)
			w.network.decide(nil)
			w.observe(instance(round, cloud.InstanceStopped))
			w.pass(10 * time.Second)
			w.converged()
		}
		if n := count(w.plane.operations(), "BeginSnapshot"); n != 1 {
			t.Errorf("%d snapshots, want the first one only", n)
		}
	})
}

func TestLostCommitCostsNoSecondSnapshot(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.fleet(0, 10, cloud.InstanceRunning)
		commits := 0
		w.network.decide(func(path string) fate {
			if strings.HasSuffix(path, "/commit") {
				commits++
				return unanswered
			}
			return arrives
		})
		w.start()
		w.pass(10 * time.Second)
		w.converged()
		if n := count(w.plane.operations(), "BeginSnapshot"); n != 1 || commits != 1 {
			t.Errorf("%d snapshots and %d commits, want 1 and 1", n, commits)
		}
	})
}

func TestSnapshotThatDoesNotMatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ mismatches, incarnations int }{{1, 1}, {2, 2}} {
		t.Run(fmt.Sprint(c.mismatches), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, w *world) {
				w.fleet(0, 10, cloud.InstanceRunning)
				w.plane.corrupt = c.mismatches
				w.start()
				w.pass(10 * time.Second)
				w.converged()
				if n := count(w.plane.operations(), "Hello"); n != c.incarnations {
					t.Errorf("%d hellos, want %d", n, c.incarnations)
				}
			})
		})
	}
}

func TestFencedEnds(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(*world){
		"by a heartbeat": func(*world) {},
		"by a change":    func(w *world) { w.observe(instance(1, cloud.InstanceStopping)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, w *world) {
				w.fleet(0, 10, cloud.InstanceRunning)
				w.start()
				w.pass(10 * time.Minute)
				w.plane.with(func(s *planeState) { s.epoch++ }) // another daemon's hello
				send(w)
				w.pass(time.Minute)
				select {
				case <-w.ended:
					if !errors.Is(w.err, federation.ErrFenced) {
						t.Errorf("Run returned %v, want ErrFenced", w.err)
					}
				default:
					t.Fatal("the reporter goes on")
				}
				if s := w.reporter.Status(); s.State != federation.ReporterFenced {
					t.Errorf("the status is %+v", s)
				}
				if n := count(w.plane.operations(), "Hello"); n != 1 {
					t.Errorf("%d hellos, want 1: a fenced daemon does not come back by itself", n)
				}
				if err := w.region.Begin(t.Context(), false); !errors.Is(err, region.ErrFenced) {
					t.Errorf("Begin returned %v after a fence, want ErrFenced", err)
				}
				if err := w.region.Begin(t.Context(), true); err != nil {
					t.Fatal(err)
				}
				w.restartRegion()
				w.start()
				w.observe(instance(2, cloud.InstanceStopped))
				w.pass(time.Minute)
				w.converged()
			})
		})
	}
}

// A daemon that cannot write down that it is fenced says so, and ends.
func TestAFenceThatCannotBeWrittenDown(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.start()
		w.pass(10 * time.Minute)
		w.plane.with(func(s *planeState) { s.epoch++ })
		// Between the database's last use for a sync and the fence.
		w.network.decide(func(string) fate { _ = w.store.Close(); return arrives })
		w.pass(time.Minute)
		if <-w.ended; !errors.Is(w.err, federation.ErrFenced) || !strings.Contains(w.log.String(), "could not write that down") {
			t.Errorf("Run returned %v", w.err)
		}
	})
}

// Two daemons of one region that begin at about the same time do not take
// turns for ever: the one that began last goes on.
func TestOfTwoDaemonsTheLastGoesOn(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.fleet(0, 10, cloud.InstanceRunning)
		w.start()
		first, ended := w.reporter, w.ended
		stop := w.cancel
		defer stop()
		w.pass(time.Minute)
		w.start()
		w.pass(2 * time.Minute)
		if s := first.Status(); s.State != federation.ReporterFenced {
			t.Errorf("the first daemon's status is %+v, want fenced", s)
		}
		if s := w.reporter.Status(); s.State != federation.ReporterSyncing {
			t.Errorf("the second daemon's status is %+v, want syncing", s)
		}
		if n := count(w.plane.operations(), "Hello"); n > 4 {
			t.Errorf("%d hellos, want two of each daemon at most", n)
		}
		stop()
		<-ended
	})
}

// A hello that was given up and arrives after the next one must not make a
// daemon that is alone fence itself.
func TestOwnLateHelloDoesNotFence(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.fleet(0, 10, cloud.InstanceRunning)
		first := true
		w.network.decide(func(string) fate {
			if first {
				first = false
				return late
			}
			return arrives
		})
		w.start()
		w.pass(time.Minute)
		w.converged()
		w.plane.with(func(s *planeState) {
			if s.epoch != 3 {
				t.Errorf("the epoch is %d, want that of a third hello", s.epoch)
			}
		})
	})
}

func TestBacksOffWithFullJitter(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.jitter = func() float64 { return 1 } // the ceiling of each pause
		w.network.decide(func(string) fate { return lost })
		w.start()
		w.pass(2 * time.Minute)
		var pauses []time.Duration
		sent := w.network.sends()
		for i := range sent[1:] {
			pauses = append(pauses, sent[i+1].Sub(sent[i]))
		}
		want := []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second}
		if d := cmp.Diff(want, pauses); d != "" {
			t.Errorf("pauses (-want +got)\n%s", d)
		}
		if s := w.reporter.Status(); s.Failures != len(sent) || s.LastError == "" || s.State != federation.ReporterConnecting {
			t.Errorf("the status is %+v after %d failures", s, len(sent))
		}
		w.network.decide(nil)
		w.pass(time.Minute)
		w.converged()
		if s := w.reporter.Status(); s.Failures != 0 || s.LastError != "" {
			t.Errorf("the status is %+v after all is well", s)
		}
	})
}

// Of its ceiling a pause is any part, from none: regions that were cut off
// together do not come back together.
func TestPausesAreJitteredInFull(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		parts := []float64{0, 0.25, 0.5, 0, 0.75, 0.25}
		begin, next := time.Now(), 0
		w.jitter = func() float64 {
			if next++; next > len(parts) {
				return 1
			}
			return parts[next-1]
		}
		w.network.decide(func(string) fate { return lost })
		w.start()
		w.pass(time.Minute)
		var got, want []time.Duration
		at, ceiling := time.Duration(0), 500*time.Millisecond
		for i, part := range parts {
			got, want = append(got, w.network.sends()[i].Sub(begin)), append(want, at)
			at += time.Duration(part * float64(ceiling))
			ceiling *= 2
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("tries, since the first (-want +got)\n%s", d)
		}
	})
}

func TestRefusedCredentialIsTriedSlowly(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.network.serve(answering(401, `{"message":"not a valid credential"}`, nil))
		w.start()
		w.pass(10 * time.Minute)
		if n := len(w.network.sends()); n < 10 || n > 20 {
			t.Errorf("%d tries in 10 minutes, want one every 30 to 60 s", n)
		}
		if !strings.Contains(w.log.String(), "penstock admin region create") {
			t.Error("the log does not say what to do")
		}
	})
}

func TestRefusalsAreTriedSlowly(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]int{"refused": 400, "too large": 413, "elsewhere": 302, "no such path": 404} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, w *world) {
				w.network.serve(answering(status, `{"message":"no"}`, map[string]string{"Location": "https://elsewhere.example.com/"}))
				w.start()
				w.pass(10 * time.Minute)
				if n := len(w.network.sends()); n < 3 || n > 22 {
					t.Errorf("%d tries in 10 minutes, want few", n)
				}
				w.network.serve(w.plane.handler())
				w.pass(time.Minute)
				w.converged()
			})
		})
	}
}

func TestRetryAfterIsKept(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.network.serve(answering(429, `{"message":"later"}`, map[string]string{"Retry-After": "120"}))
		w.start()
		w.pass(10 * time.Minute)
		if n := len(w.network.sends()); n != 6 {
			t.Errorf("%d tries in 10 minutes, want one every 2 minutes", n)
		}
	})
}

func TestRegionDatabaseThatIsAway(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.fleet(0, 10, cloud.InstanceRunning)
		w.start()
		_ = w.store.Close()
		w.pass(time.Minute)
		if s := w.reporter.Status(); s.Failures == 0 {
			t.Errorf("the status is %+v", s)
		}
	})
}

func TestUnknownAnswersAreNoProgress(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.plane.mend = func(welcome *wire.Welcome) { welcome.Next = "dance" }
		w.start()
		w.pass(time.Minute)
		if s := w.reporter.Status(); s.State != federation.ReporterConnecting || !strings.Contains(s.LastError, "dance") {
			t.Errorf("the status is %+v", s)
		}
		w.plane.with(func(*planeState) {
			w.plane.mend = func(welcome *wire.Welcome) { welcome.Next = wire.WelcomeNextRenew }
		})
		w.pass(10 * time.Minute)
		if n := len(w.network.sends()); n > 60 {
			t.Errorf("a plane that always asks to renew was asked %d times in 11 minutes", n)
		}
	})
}

// A new incarnation may have been used by another daemon, on a copy of the
// region's database, before the plane hears of it from this one.
func TestRenewsAgainIfTheNewIncarnationIsTaken(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, w *world) {
		w.fleet(0, 3, cloud.InstanceRunning)
		taken := map[string]bool{}
		w.plane.mend = func(welcome *wire.Welcome) {
			if taken[w.plane.state.incarnation] = true; len(taken) < 3 {
				welcome.Next = wire.WelcomeNextRenew
			}
		}
		w.start()
		w.pass(time.Minute)
		w.converged()
	})
}
