package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/pprof"
	"sync"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
	"github.com/penstock-cloud/penstock/internal/engine/simulated"
	"github.com/penstock-cloud/penstock/internal/federation"
	"github.com/penstock-cloud/penstock/internal/region"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
)

const (
	gpuModel = "NVIDIA H100"
	// fullPasses is how many full passes are measured, beside the first one; one
	// pass in fullEvery is.
	fullPasses, fullEvery = 3, 20
	carriedChanges        = 20_000
)

var addressRange = netip.MustParsePrefix("10.64.0.0/16")

func (b *siteBench) simulatedHosts() []cloud.Host {
	hosts := make([]cloud.Host, b.hosts())
	for i := range hosts {
		hosts[i] = cloud.Host{Name: fmt.Sprintf("sim-h100-%04d", i), CPU: 24 * gpusOfHost, Memory: 240 << 30 * gpusOfHost}
		for n := range gpusOfHost {
			hosts[i].GPUs = append(hosts[i].GPUs, cloud.GPU{Model: gpuModel, Address: fmt.Sprintf("0000:%02x:00.0", n)})
		}
	}
	return hosts
}

// measureInside takes over what the region's process left, in this process, in
// which its parts can be had one by one.
func (b *siteBench) measureInside(ctx context.Context, f *machineFigures) (err error) {
	store, err := sqlite.OpenRegion(ctx, filepath.Join(b.dir, "region.db"), newID)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	progress("looking at %d instances", b.machines)
	if err := b.measurePasses(ctx, store, f); err != nil {
		return fmt.Errorf("reconcile: %w", err)
	}
	progress("carrying %d changes to the plane", carriedChanges)
	if err := b.measureCarried(ctx, store, f); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// passes notes how long each look at everything takes: from when the engine is
// asked until the region waits for the next one, which it does not have to.
type passes struct {
	engine.Engine
	enough func()

	mu     sync.Mutex
	begun  time.Time
	waited time.Duration // by the region's clock, which knows of no other time
	took   []float64     // milliseconds
}

// now is what the region takes for the time: it compares everything that is
// written down once in so much of it.
func (p *passes) now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Unix(0, 0).Add(p.waited)
}

func (p *passes) Survey(ctx context.Context) (engine.Survey, error) {
	p.mu.Lock()
	p.begun = time.Now()
	p.mu.Unlock()
	return p.Engine.Survey(ctx)
}

func (p *passes) after(d time.Duration) <-chan time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waited += d
	p.took = append(p.took, float64(time.Since(p.begun).Microseconds())/1000)
	if len(p.took) > fullPasses*fullEvery {
		p.enough()
	}
	now := make(chan time.Time, 1)
	now <- time.Now()
	return now
}

func (b *siteBench) measurePasses(ctx context.Context, store cloud.RegionStore, f *machineFigures) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	world, err := simulated.Open(simulated.Config{
		Hosts: b.simulatedHosts(), Images: []string{"ubuntu22.04"}, File: filepath.Join(b.dir, "simulated-hosts"),
		Now: time.Now, After: time.After,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, world.Close()) }()
	p := &passes{Engine: simulated.New(world, nil), enough: cancel}
	log := slog.New(slog.DiscardHandler)
	reconciler, err := region.NewReconciler(region.ReconcilerConfig{
		Region: region.New(region.Config{Store: store, Log: log, NewID: newID, Now: p.now, After: p.after, Alone: true}),
		Engine: p, Addresses: addressRange, Log: log,
	})
	if err != nil {
		return err
	}
	stop, err := b.profileSelf("machines-passes")
	if err != nil {
		return err
	}
	if err := reconciler.Run(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	stop()
	return f.notePasses(p.took)
}

func (f *machineFigures) notePasses(took []float64) error {
	if len(took) <= fullPasses*fullEvery {
		return fmt.Errorf("only %d passes were made", len(took))
	}
	var full, quiet []float64
	for i, millis := range took[1:] {
		if (i+1)%fullEvery == 0 {
			full = append(full, millis)
		} else {
			quiet = append(quiet, millis)
		}
	}
	f.FirstPass, f.FullPass, f.QuietPass = took[0], spreadOf(full).Median, spreadOf(quiet).Median
	return nil
}

// measureCarried has many changes wait while nobody reports, and then measures
// how quickly the plane has them.
func (b *siteBench) measureCarried(ctx context.Context, store cloud.RegionStore, f *machineFigures) error {
	log := slog.New(slog.DiscardHandler)
	r := region.New(region.Config{Store: store, Log: log, NewID: newID, Now: time.Now, After: time.After})
	if _, err := b.carry(ctx, r, log); err != nil { // what is left from before
		return err
	}
	for from := 0; from < carriedChanges; from += batchSize {
		batch := engine.Batch{Source: source}
		for n := range batchSize {
			batch.Instances = append(batch.Instances, engine.Instance{ID: newID(), InstanceReport: instanceReport(from+n, b.owner)})
		}
		if err := r.Observe(ctx, batch); err != nil {
			return err
		}
	}
	stop, err := b.profileSelf("machines-carried")
	if err != nil {
		return err
	}
	took, err := b.carry(ctx, r, log)
	stop()
	f.Carried = carriedChanges / took.Seconds()
	return err
}

// carry reports until the plane has everything.
func (b *siteBench) carry(ctx context.Context, r *region.Region, log *slog.Logger) (time.Duration, error) {
	ctx, cancel := context.WithCancel(ctx)
	reporter, err := federation.NewReporter(federation.ReporterConfig{
		Origin: r, Region: region1, Plane: "http://" + b.plane.address(), Credential: b.credential, Log: log,
		Now: time.Now, After: time.After, Jitter: rand.Float64,
	})
	if err != nil {
		cancel()
		return 0, err
	}
	ended := make(chan struct{})
	defer func() {
		cancel()
		<-ended
	}()
	begin := time.Now()
	go func() {
		defer close(ended)
		_ = reporter.Run(ctx) // it ends with the context
	}()
	err = awaitReported(ctx, r, reporter)
	return time.Since(begin), err
}

// profileSelf profiles this process until the function that it returns is
// called.
func (b *siteBench) profileSelf(name string) (stop func(), err error) {
	if b.profiles == "" {
		return func() {}, nil
	}
	file, err := os.Create(filepath.Join(b.profiles, name+".pprof"))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = file.Close() // a profile that is cut short cannot be read, which shows
	}, nil
}
