package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
	"github.com/penstock-cloud/penstock/internal/engine/showcase"
	"github.com/penstock-cloud/penstock/internal/federation"
	"github.com/penstock-cloud/penstock/internal/infrastructureapi"
	"github.com/penstock-cloud/penstock/internal/observe"
	"github.com/penstock-cloud/penstock/internal/region"
)

// siteConfig is what a region's process is assembled from.
type siteConfig struct {
	name          string
	database      database
	plane         string // its URL
	credential    cloud.Secret
	plaintext     bool // whether the plane may be at http:// beyond loopback
	organizations []cloud.ID
	fleet         int
	takeOver      bool // from the daemon that fenced this one
	log           *slog.Logger
	metrics       *observe.Metrics
}

// site is a region, put together but not running.
type site struct {
	store    cloud.RegionStore
	region   *region.Region
	engine   engine.Inventory
	grants   *region.Grants // what callers may do
	reporter *federation.Reporter
	handler  http.Handler
}

// openSite opens the region's database and puts the parts together.
func openSite(ctx context.Context, c siteConfig) (*site, error) {
	simulation, err := showcase.New(showcase.Config{
		Region: c.name, Organizations: c.organizations, Fleet: c.fleet, Seed: seedOf(c.name),
		Now: time.Now, After: time.After,
	})
	if err != nil {
		return nil, err
	}
	store, err := c.database.openRegion(ctx, c.log)
	if err != nil {
		return nil, err
	}
	s := &site{store: store, engine: simulation}
	s.region = region.New(region.Config{Store: store, Log: c.log, NewID: newID, Now: time.Now, After: time.After})
	if err := s.region.Begin(ctx, c.takeOver); err != nil {
		s.close()
		return nil, err
	}
	if err := s.connect(ctx, c); err != nil {
		s.close()
		return nil, err
	}
	s.handler = observe.Middleware(observe.Config{
		API: "infrastructure", Metrics: c.metrics, Log: c.log, Now: time.Now, NewID: newID,
	}, infrastructureapi.New())
	return s, nil
}

// connect makes what speaks to the plane.
func (s *site) connect(ctx context.Context, c siteConfig) error {
	link := federation.ReporterConfig{
		Origin: s.region, Region: c.name, Plane: c.plane, Credential: c.credential, Log: c.log, Plaintext: c.plaintext,
		Fenced: s.region.Fence,
		Now:    time.Now, After: time.After, Jitter: rand.Float64,
	}
	plane, err := federation.NewGrantClient(link)
	if err != nil {
		return fmt.Errorf("--plane: %w", err) // it refuses nothing else
	}
	s.grants, err = region.OpenGrants(ctx, region.GrantsConfig{Store: s.store, Plane: plane, Log: c.log, Now: time.Now})
	if err != nil {
		return err
	}
	link.Grants = s.grants
	if s.reporter, err = federation.NewReporter(link); err != nil {
		return fmt.Errorf("--plane: %w", err)
	}
	return nil
}

func (s *site) close() { _ = s.store.Close() } // what was acknowledged is durable already

// run drives the engine and reports, until ctx ends or another daemon takes
// over.
func (s *site) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := s.region.Drive(ctx, s.engine)
		if errors.Is(err, region.ErrFenced) {
			return nil // the reporter says it
		}
		return err
	})
	group.Go(func() error { return s.reporter.Run(ctx) })
	return group.Wait()
}

// seedOf makes regions differ, and one region's story the same every time.
func seedOf(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	return h.Sum64()
}
