package federation_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
	"github.com/penstock-cloud/penstock/internal/federation"
	"github.com/penstock-cloud/penstock/internal/region"
)

// bothEnds is the reporter with the real plane at the other end.
type bothEnds struct {
	*world
	stand *stand
	keys  map[cloud.ObjectKey]bool // of everything that ever was
}

func withBothEnds(t *testing.T, story func(t *testing.T, b *bothEnds)) {
	t.Helper()
	inBubble(t, func(t *testing.T, w *world) {
		b := &bothEnds{world: w, stand: newStand(t), keys: map[cloud.ObjectKey]bool{}}
		w.credential = credentialOf(west)
		w.network.serve(newServer(t, federation.NewPlane(federation.PlaneConfig{
			Store: b.stand.store.Store, Health: cloud.DefaultHealthPolicy, Log: slog.New(slog.DiscardHandler),
			Now: time.Now, NewID: b.stand.newID, Rand: func() float64 { return 0.5 },
		}), slog.New(slog.DiscardHandler)))
		story(t, b)
	})
}

func (b *bothEnds) run(n int, state cloud.InstanceState, source string) {
	b.t.Helper()
	i := instance(n, state)
	i.InstanceReport.Source = source
	if err := b.region.Observe(b.t.Context(), engine.Batch{Source: source, Instances: []engine.Instance{i}}); err != nil {
		b.t.Fatal(err)
	}
	b.keys[key(n)] = true
}

// same demands that the plane has what the region has.
func (b *bothEnds) same() {
	b.t.Helper()
	own := map[cloud.ObjectKey]cloud.Object{}
	if err := b.region.Read(b.t.Context(), func(tx cloud.RegionReader) error {
		objects, err := tx.Objects(cloud.ObjectKey{}, 1000)
		for _, o := range objects {
			own[o.ObjectKey] = o
		}
		return err
	}); err != nil {
		b.t.Fatal(err)
	}
	keys := make([]cloud.ObjectKey, 0, len(b.keys))
	for k := range b.keys {
		keys = append(keys, k)
	}
	copied := map[cloud.ObjectKey]cloud.Object{}
	for k, o := range b.stand.stored(west, keys...) {
		copied[k] = o.Object
	}
	if d := gocmp.Diff(own, copied); d != "" {
		b.t.Errorf("the plane's copy is not the region's list (-region +plane)\n%.2000s", d)
	}
	id, link := b.identity(), b.stand.link(west)
	if link.Incarnation != id.Incarnation || link.AppliedSeq != id.Seq || link.Digest != id.Digest || link.Snapshot != nil {
		b.t.Errorf("the link is %+v, and the region %+v", link, id)
	}
}

func TestBothEndsConvergeThroughChaos(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			withBothEnds(t, func(t *testing.T, b *bothEnds) {
				chance, network, jitter := rand.New(rand.NewPCG(seed, 4)), rand.New(rand.NewPCG(seed, 5)), rand.New(rand.NewPCG(seed, 6))
				b.jitter = jitter.Float64
				fates := []fate{arrives, arrives, arrives, arrives, lost, unanswered, doubled, late, broken}
				b.network.decide(func(string) fate { return fates[network.IntN(len(fates))] })
				b.start()
				for range 80 {
					n := chance.IntN(30)
					switch chance.IntN(4) {
					case 0:
						b.bury(key(n))
					case 1, 2:
						b.run(n, cloud.InstanceStates[chance.IntN(8)], fmt.Sprintf("host-%02d", chance.IntN(5)))
					}
					switch chance.IntN(30) {
					case 0: // the daemon is started again
						b.stop()
						b.restartRegion()
						b.start()
					case 1: // on a database whose copies are not to be trusted
						if err := b.region.Renew(t.Context()); err != nil {
							t.Fatal(err)
						}
					}
					b.pass(time.Duration(chance.IntN(3000)) * time.Millisecond)
				}
				b.network.decide(nil)
				b.pass(15 * time.Minute)
				b.same()
			})
		})
	}
}

// What a host said last is reported even if the host is not heard again after
// a restart, and is not made to look better than it is.
func TestChangesOfASourceThatWasNotHeardSince(t *testing.T) {
	t.Parallel()
	withBothEnds(t, func(t *testing.T, b *bothEnds) {
		b.run(1, cloud.InstanceRunning, "host-01")
		b.start()
		b.pass(time.Second)
		b.same()
		b.stop()
		b.run(2, cloud.InstanceRunning, "host-02")
		b.restartRegion()
		b.start()
		b.pass(time.Second)
		b.same()
		clock := cloud.HealthClock{Now: time.Now(), Policy: cloud.DefaultHealthPolicy}
		link := b.stand.link(west)
		for n, want := range map[int]cloud.InstanceHealth{1: cloud.InstanceHealthy, 2: cloud.InstanceOffline} {
			in, err := cloud.NewInstance(b.stand.stored(west, key(n))[key(n)])
			if err != nil {
				t.Fatal(err)
			}
			if got := clock.Instance(&link, in); got.Health != want {
				t.Errorf("instance %d is %s (%s), want %s", n, got.Health, got.Reason, want)
			}
		}
	})
}

// A region whose database was lost has only a part of its fleet again. The
// plane keeps the rest until it has asked once more.
func TestWhatARegionLostIsConfirmedBeforeItGoes(t *testing.T) {
	t.Parallel()
	withBothEnds(t, func(t *testing.T, b *bothEnds) {
		for n := range 40 {
			b.run(n, cloud.InstanceRunning, "host-01")
		}
		b.start()
		b.pass(time.Second)
		b.same()
		b.stop()
		if err := b.store.Close(); err != nil {
			t.Fatal(err)
		}
		b.open("anew.db")
		for n := range 20 {
			b.run(n, cloud.InstanceRunning, "host-01")
		}
		b.start()
		missing := func() int { return len(b.stand.missing(&site{name: west, ever: b.keys}, time.Time{})) }
		b.pass(cloud.GuardDelay - time.Second)
		if got := missing(); got != 20 {
			t.Errorf("%d are missing, want 20", got)
		}
		// One that comes back stays, whatever the others do.
		b.run(30, cloud.InstanceStopped, "host-01")
		b.pass(time.Minute)
		if got := missing(); got != 0 {
			t.Errorf("%d are still missing", got)
		}
		b.same()
	})
}

// clockwork is an engine that does something every second, and notes when.
type clockwork struct {
	engine.Engine
	worked []time.Time
}

func (*clockwork) Hosts(context.Context) ([]cloud.Host, error)   { return nil, nil }
func (*clockwork) Survey(context.Context) (engine.Survey, error) { return engine.Survey{}, nil }

func (e *clockwork) Run(ctx context.Context, _ engine.Tell) error {
	for ctx.Err() == nil {
		e.worked = append(e.worked, time.Now())
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	return ctx.Err()
}

// From the moment in which a daemon knows that another one has taken over, its
// engine does nothing more; the other one's goes on. What it was told is
// written down, and it begins again only to take over in turn.
func TestAFencedDaemonDrivesItsEngineNoMore(t *testing.T) {
	t.Parallel()
	withBothEnds(t, func(t *testing.T, b *bothEnds) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		drive := func(e engine.Engine) chan error {
			driven := make(chan error, 1)
			if err := b.region.Begin(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			reconciler, err := region.NewReconciler(region.ReconcilerConfig{
				Region: b.region, Engine: e, Addresses: netip.MustParsePrefix("10.64.0.0/24"), Log: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			go func() { driven <- reconciler.Run(ctx) }()
			return driven
		}
		first, ended := b.region, &clockwork{}
		driven := drive(ended)
		b.start()
		reported := b.ended
		b.pass(10 * time.Minute)

		// Another machine, with a database and an engine of its own.
		mine := b.store
		b.open("other.db")
		defer mine.Close()
		going := &clockwork{}
		drive(going)
		b.start()
		begun := time.Now()
		b.pass(time.Minute)

		<-reported
		if err := <-driven; !errors.Is(err, region.ErrFenced) {
			t.Errorf("Run returned %v, want ErrFenced", err)
		}
		var daemon cloud.Daemon
		if err := mine.Read(t.Context(), func(r cloud.RegionReader) (err error) {
			daemon, err = r.Daemon()
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if fenced := daemon.FencedAt; fenced.Before(begun) || len(ended.worked) == 0 || ended.worked[len(ended.worked)-1].After(fenced) {
			t.Errorf("fenced at %s, the engine worked last at %s", fenced, ended.worked[len(ended.worked)-1])
		}
		if last := going.worked[len(going.worked)-1]; time.Since(last) > time.Second {
			t.Errorf("the other engine worked last at %s, and it is %s", last, time.Now())
		}
		if err := first.Begin(t.Context(), false); !errors.Is(err, region.ErrFenced) {
			t.Errorf("Begin returned %v, want ErrFenced", err)
		}
	})
}
