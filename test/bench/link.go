package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
	"github.com/penstock-cloud/penstock/internal/federation"
	"github.com/penstock-cloud/penstock/internal/region"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
)

// linkFigures is what the link between a region and its plane does.
type linkFigures struct {
	Instances int `json:"instances"`
	Sources   int `json:"sources"`

	// From a change at the region to the list that shows it.
	Changes     int     `json:"changes"`
	P50Millis   float64 `json:"visible_p50_millis"`
	P99Millis   float64 `json:"visible_p99_millis"`
	OverWindows float64 `json:"visible_p50_per_batch_window"`

	// On the wire, both ways and with all headers.
	Bytes     []linkBytes `json:"bytes"`
	Growth    float64     `json:"bytes_per_change_1000_over_100"` // 1 is linear
	BodyBytes int         `json:"body_bytes"`
}

// linkBytes is what some changes at once cost on the wire.
type linkBytes struct {
	Changes int   `json:"changes"`
	Bytes   int64 `json:"bytes"`
}

const (
	linkRow     = "federation: one region"
	linkSources = 100
	// batchWindow is how long a region lets a change wait for others.
	batchWindow = 200 * time.Millisecond
)

// linkBench is a region in this process, and the plane that it reports to.
type linkBench struct {
	plane    *plane
	region   *region.Region
	reporter *federation.Reporter
	owners   []cloud.ID
	ids      []cloud.ID
	wire     atomic.Int64 // bytes
	made     int
}

// measureLink measures a region of that many instances, as changes happen one
// at a time, and many at once.
func measureLink(ctx context.Context, s settings, binary, dir string) (*linkFigures, error) {
	instances, changes := 100_000, 200
	if s.short {
		instances, changes = 5_000, 20
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b, ended, err := startLink(ctx, binary, dir, instances)
	if err != nil {
		return nil, err
	}
	defer func() {
		cancel()
		<-ended
		b.plane.stop()
	}()
	f := &linkFigures{Instances: instances, Sources: linkSources, Changes: changes, BodyBytes: len(b.body(0))}
	progress("changing %d instances, one at a time", changes)
	times, err := b.visible(ctx, changes)
	if err != nil {
		return nil, err
	}
	f.P50Millis, f.P99Millis = percentile(times, 50), percentile(times, 99)
	f.OverWindows = f.P50Millis / float64(batchWindow.Milliseconds())
	for _, n := range []int{1, 10, 100, 1000} {
		size, err := b.size(ctx, n)
		if err != nil {
			return nil, err
		}
		f.Bytes = append(f.Bytes, linkBytes{n, size})
	}
	slope := func(i, j int) float64 {
		return float64(f.Bytes[j].Bytes-f.Bytes[i].Bytes) / float64(f.Bytes[j].Changes-f.Bytes[i].Changes)
	}
	f.Growth = slope(2, 3) / slope(1, 2)
	return f, nil
}

// startLink starts a plane and a region with its instances, and waits until the
// plane has them. ended is closed when the reporter has ended.
func startLink(ctx context.Context, binary, dir string, instances int) (b *linkBench, ended chan struct{}, err error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, nil, err
	}
	b = &linkBench{plane: &plane{binary: binary, dir: dir, instances: instances}}
	credential := cloud.NewSecret("psr_" + string(newID()))
	if b.owners, err = loadTenants(ctx, filepath.Join(dir, "plane.db"), instances, []tenantRegion{{name: region1, credential: credential}}); err != nil {
		return nil, nil, err
	}
	if err := b.plane.start(ctx); err != nil {
		return nil, nil, err
	}
	store, err := sqlite.OpenRegion(ctx, filepath.Join(dir, "region.db"), newID)
	if err != nil {
		return nil, nil, err
	}
	log := slog.New(slog.DiscardHandler)
	b.region = region.New(region.Config{Store: store, Log: log, NewID: newID, Now: time.Now, After: time.After})
	progress("a region observes %d instances", instances)
	for range instances {
		b.ids = append(b.ids, newID())
	}
	for from := 0; from < instances; from += batchSize {
		if err := b.change(ctx, from, min(batchSize, instances-from)); err != nil {
			return nil, nil, err
		}
	}
	b.reporter, err = federation.NewReporter(federation.ReporterConfig{
		Origin: b.region, Region: region1, Plane: "http://" + b.plane.address(), Credential: credential, Log: log,
		Transport: &http.Transport{DialContext: b.dial},
		Now:       time.Now, After: time.After, Jitter: rand.Float64,
	})
	if err != nil {
		return nil, nil, err
	}
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		defer store.Close()
		_ = b.reporter.Run(ctx) // it ends with the context
	}()
	return b, ended, b.awaitPlane(ctx)
}

// change gives so many instances, from the n-th, a name that they never had.
func (b *linkBench) change(ctx context.Context, n, count int) error {
	batch := engine.Batch{Source: sourceOf(n)}
	for i := n; i < n+count; i++ {
		b.made++
		batch.Instances = append(batch.Instances, engine.Instance{ID: b.ids[i], InstanceReport: b.report(i)})
	}
	return b.region.Observe(ctx, batch)
}

func sourceOf(n int) string { return fmt.Sprintf("host-%03d", n/batchSize%linkSources) }

func (b *linkBench) report(n int) cloud.InstanceReport {
	report := instanceReport(n, b.owners[n%len(b.owners)])
	report.Name, report.Source = fmt.Sprintf("trainer-%09d", b.made), sourceOf(n)
	return report
}

func (b *linkBench) body(n int) []byte {
	body, err := json.Marshal(b.report(n))
	if err != nil {
		return nil
	}
	return body
}

// awaitPlane waits until the plane has all that the region has.
func (b *linkBench) awaitPlane(ctx context.Context) error {
	return awaitReported(ctx, b.region, b.reporter)
}

func awaitReported(ctx context.Context, r *region.Region, reporter *federation.Reporter) error {
	var id cloud.RegionIdentity
	if err := r.Read(ctx, func(tx cloud.RegionReader) (err error) {
		id, err = tx.Identity()
		return err
	}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*startPatience)
	defer cancel()
	for {
		status := reporter.Status()
		if status.State == federation.ReporterSyncing && status.Applied == id.Seq {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the plane does not have what the region has: %w: %+v", context.Cause(ctx), status)
		case <-time.After(readyPoll):
		}
	}
}

// visible measures, in milliseconds, from the moment at which a change is
// observed until a list that was asked for shows it.
func (b *linkBench) visible(ctx context.Context, changes int) ([]float64, error) {
	token, err := b.plane.token(ctx, largeOrganization)
	if err != nil {
		return nil, err
	}
	header := http.Header{"Accept": {"application/json"}, "Authorization": {"Bearer " + token}}
	times := make([]float64, changes)
	for i := range times {
		n := rand.IntN(organizationSize) * len(b.owners) // of the first organization
		begin := time.Now()
		if err := b.change(ctx, n, 1); err != nil {
			return nil, err
		}
		name := fmt.Appendf(nil, "trainer-%09d", b.made)
		for {
			a, err := get(ctx, b.plane.api+"/instances", header)
			if err != nil || a.Status != http.StatusOK {
				return nil, errors.Join(err, fmt.Errorf("the plane answers %d", a.Status))
			}
			if bytes.Contains(a.Body, name) {
				break
			}
			if time.Since(begin) > startPatience {
				return nil, errors.New("a change does not show")
			}
		}
		times[i] = float64(time.Since(begin).Microseconds()) / 1000
	}
	return times, nil
}

// size is how many bytes so many changes cost: the fewest of some tries, since
// heartbeats pass on the same wire.
func (b *linkBench) size(ctx context.Context, changes int) (least int64, err error) {
	for try := range 3 {
		if err := b.awaitPlane(ctx); err != nil {
			return 0, err
		}
		before := b.wire.Load()
		if err := b.change(ctx, 0, changes); err != nil {
			return 0, err
		}
		if err := b.awaitPlane(ctx); err != nil {
			return 0, err
		}
		if size := b.wire.Load() - before; try == 0 || size < least {
			least = size
		}
	}
	return least, nil
}

// dial opens connections whose bytes are counted.
func (b *linkBench) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, address)
	return countedConn{c, &b.wire}, err
}

type countedConn struct {
	net.Conn
	count *atomic.Int64
}

func (c countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.count.Add(int64(n))
	return n, err
}

func (c countedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.count.Add(int64(n))
	return n, err
}

func (f *linkFigures) write(w io.Writer) {
	fmt.Fprintf(w, "\nA region of %d instances and %d sources: a change shows after %.0f ms (p50, %.1f batch windows), %.0f ms (p99 of %d).\n",
		f.Instances, f.Sources, f.P50Millis, f.OverWindows, f.P99Millis, f.Changes)
	fmt.Fprintf(w, "Bytes on the wire, with bodies of %d:", f.BodyBytes)
	for _, b := range f.Bytes {
		fmt.Fprintf(w, " %d changes %d;", b.Changes, b.Bytes)
	}
	fmt.Fprintf(w, " each further one costs %.2f times as much towards 1,000 as towards 100.\n", f.Growth)
}
