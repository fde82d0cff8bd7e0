package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

// restFigures is what a plane costs whose regions have nothing to tell.
type restFigures struct {
	Regions          int     `json:"regions"`
	InstancesEach    int     `json:"instances_each"`
	Seconds          float64 `json:"seconds"`
	Heartbeats       int64   `json:"heartbeats"`
	Cores            float64 `json:"cores"` // of the plane, mean
	MicrosPerMessage float64 `json:"cpu_micros_per_heartbeat"`
}

const (
	restRow     = "federation: many regions at rest"
	restSources = 8
)

// measureRest lets many regions send their heartbeats, at the pace that the
// plane asks for, to a plane that has nothing else to do.
func measureRest(ctx context.Context, s settings, binary, dir string) (*restFigures, error) {
	f := &restFigures{Regions: 1000, InstancesEach: 100}
	ramp, span := 20*time.Second, 60*time.Second
	if s.short {
		f.Regions, ramp, span = 100, 5*time.Second, 10*time.Second
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	regions := make([]tenantRegion, f.Regions)
	for i := range regions {
		regions[i] = tenantRegion{
			name: fmt.Sprintf("region-%d", i), credential: cloud.NewSecret("psr_" + string(newID())),
			incarnation: newID(), instances: f.InstancesEach,
		}
	}
	progress("loading %d regions of %d instances", f.Regions, f.InstancesEach)
	if _, err := loadTenants(ctx, filepath.Join(dir, "plane.db"), f.Regions*f.InstancesEach, regions); err != nil {
		return nil, err
	}
	p := &plane{binary: binary, dir: dir, instances: f.Regions * f.InstancesEach}
	if err := p.start(ctx); err != nil {
		return nil, err
	}
	defer p.stop()

	progress("listening to them for %v", ramp+span)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{MaxIdleConns: f.Regions, MaxIdleConnsPerHost: f.Regions}, Timeout: patience}
	var beats atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for i := range regions {
		group.Go(func() error { return regions[i].rest(ctx, client, p, ramp, &beats) })
	}
	measured := errors.New("measured")
	group.Go(func() error {
		if err := sleep(ctx, ramp); err != nil {
			return err
		}
		cpu, count, begin := cpuTime(p.pid()), beats.Load(), time.Now()
		if err := sleep(ctx, span); err != nil {
			return err
		}
		used := cpuTime(p.pid()) - cpu
		f.Seconds, f.Heartbeats = time.Since(begin).Seconds(), beats.Load()-count
		f.Cores = used.Seconds() / f.Seconds
		f.MicrosPerMessage = float64(used.Microseconds()) / float64(max(f.Heartbeats, 1))
		return measured
	})
	if err := group.Wait(); !errors.Is(err, measured) {
		return nil, err
	}
	return f, nil
}

// rest says hello at some moment of the ramp, and then sends heartbeats.
func (r *tenantRegion) rest(ctx context.Context, client *http.Client, p *plane, ramp time.Duration, beats *atomic.Int64) error {
	if err := sleep(ctx, rand.N(ramp*3/4)); err != nil {
		return err
	}
	api, err := wire.NewClientWithResponses("http://"+p.address()+federation.BasePath, wire.WithHTTPClient(client),
		wire.WithRequestEditorFn(func(_ context.Context, req *http.Request) error {
			req.Header.Set("Authorization", "Bearer "+r.credential.Reveal())
			return nil
		}))
	if err != nil {
		return err
	}
	hello, err := api.HelloWithResponse(ctx, wire.HelloRequest{
		Incarnation: string(r.incarnation), Seq: uint64(r.instances), Digest: wire.Digest{Count: r.digest.Count, Sum: r.digest.Hex()}, // not negative
	})
	if err != nil {
		return err
	}
	if hello.JSON200 == nil || hello.JSON200.Next != wire.WelcomeNextResume {
		return fmt.Errorf("hello is answered with %s: %s", hello.Status(), hello.Body)
	}
	beat := wire.SyncRequest{
		Epoch: hello.JSON200.Epoch, Nonce: hello.JSON200.Nonce, From: hello.JSON200.AppliedSeq, To: hello.JSON200.AppliedSeq,
		Upserts: []wire.Object{}, Tombstones: []wire.Tombstone{},
	}
	for n := range restSources {
		beat.Sources = append(beat.Sources, wire.Source{Name: fmt.Sprint("host-", n), AgeMs: 1000})
	}
	for {
		answer, err := api.SyncWithResponse(ctx, beat)
		if err != nil {
			return err
		}
		if answer.JSON200 == nil || answer.JSON200.Outcome != wire.SyncAnswerOutcomeApplied {
			return fmt.Errorf("a heartbeat is answered with %s: %s", answer.Status(), answer.Body)
		}
		beats.Add(1)
		beat.Nonce = answer.JSON200.Nonce
		if err := sleep(ctx, time.Duration(answer.JSON200.NextInMs)*time.Millisecond); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func (f *restFigures) write(w io.Writer) {
	fmt.Fprintf(w, "A plane with %d regions of %d instances at rest: %.3f of a core, for %d heartbeats in %.0f s (%.0f µs each).\n",
		f.Regions, f.InstancesEach, f.Cores, f.Heartbeats, f.Seconds, f.MicrosPerMessage)
}
