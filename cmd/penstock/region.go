package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/auth/published"
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/cluster"
	"github.com/penstock-cloud/penstock/internal/engine"
	"github.com/penstock-cloud/penstock/internal/federation"
	"github.com/penstock-cloud/penstock/internal/infrastructureapi"
	"github.com/penstock-cloud/penstock/internal/observe"
	"github.com/penstock-cloud/penstock/internal/region"
	"github.com/penstock-cloud/penstock/internal/serving"
)

// siteConfig is what a region's process is assembled from.
type siteConfig struct {
	name       string
	database   database
	folder     string // where the engine may keep things
	engine     string // its name
	file       siteFile
	plane      string // its URL
	credential cloud.Secret
	plaintext  bool       // whether the plane may be at http:// beyond loopback
	showTo     []cloud.ID // organizations for which a fresh region has a demonstration
	fleet      int        // how many instances that has
	takeOver   bool       // from the daemon that fenced this one
	proxies    []netip.Prefix
	log        *slog.Logger
	metrics    *observe.Metrics
}

// site is a region, put together but not running.
type site struct {
	store      cloud.RegionStore
	region     *region.Region
	engine     engine.Engine
	reconciler *region.Reconciler
	tenants    *region.Tenants
	grants     *region.Grants // what callers may do
	clusters   *region.DeclaredClusters
	prober     *cluster.Prober // of those
	verifier   *auth.Verifier
	keys       *published.Source
	reporter   *federation.Reporter
	handler    http.Handler
	closers    []func() error
}

// openSite opens the region's database and its engine, and puts the parts
// together.
func openSite(ctx context.Context, c siteConfig) (_ *site, err error) {
	s := &site{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.store, err = c.database.openRegion(ctx, c.log); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.store.Close)
	_, alone := c.database.file() // which this process holds
	s.region = region.New(region.Config{Store: s.store, Log: c.log, NewID: newID, Now: time.Now, After: time.After, Alone: alone})
	if err := s.region.Begin(ctx, c.takeOver); err != nil {
		return nil, err
	}
	e, closing, err := openEngine(c.engine, engineConfig{region: c.name, folder: c.folder, file: c.file, log: c.log})
	if err != nil {
		return nil, err
	}
	s.engine = e
	s.closers = append(s.closers, closing)
	if err := s.connect(ctx, c); err != nil {
		return nil, err
	}
	if err := s.serve(c); err != nil { //nolint:contextcheck // what is made there outlives the start
		return nil, err
	}
	return s, s.demonstrate(ctx, c)
}

// serve makes what tenants call.
func (s *site) serve(c siteConfig) (err error) {
	s.reconciler, err = region.NewReconciler(region.ReconcilerConfig{
		Region: s.region, Engine: s.engine, Addresses: c.file.Addresses, Log: c.log,
	})
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	if err := s.declare(c); err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	s.tenants = region.NewTenants(region.TenantsConfig{
		Region: s.region, Reconciler: s.reconciler, Authority: s.grants, Engine: s.engine,
		Types: c.file.types(), Quotas: c.file.quotas(), Log: c.log,
	})
	api, err := infrastructureapi.NewServer(infrastructureapi.Config{
		Region: s.tenants, Clusters: s.clusters, Verifier: s.verifier, Log: c.log,
		ClientAddress: func(r *http.Request) string { return serving.ClientAddress(r, c.proxies) },
	})
	if err != nil {
		return err
	}
	s.handler = observe.Middleware(observe.Config{
		API: "infrastructure", Operations: api.Operations(), Metrics: c.metrics, Log: c.log, Now: time.Now, NewID: newID,
	}, api)
	return nil
}

// demonstrate fills a fresh region with what its engine's configuration has for
// that.
func (s *site) demonstrate(ctx context.Context, c siteConfig) error {
	if !c.file.demonstrates(c.engine) {
		return nil
	}
	return s.tenants.Demonstrate(ctx, c.showTo, c.file.Simulated.demonstration(c.fleet))
}

// seq is that of the region's last change.
func (s *site) seq(ctx context.Context) (seq uint64, err error) {
	err = s.region.Read(ctx, func(tx cloud.RegionReader) error {
		id, err := tx.Identity()
		seq = id.Seq
		return err
	})
	return seq, err
}

// declare makes what shows and probes the clusters that are declared.
func (s *site) declare(c siteConfig) (err error) {
	s.clusters, err = region.NewDeclaredClusters(region.DeclaredConfig{
		Kubernetes: c.file.Kubernetes, Slurm: c.file.Slurm, ReadFile: os.ReadFile,
	})
	if err != nil {
		return err
	}
	s.prober = cluster.NewProber(cluster.Config{
		Targets: cluster.Targets(c.file.Kubernetes, c.file.Slurm, os.ReadFile, new(net.Dialer).DialContext),
		Sink:    s.region, Log: c.log, After: time.After,
	})
	return nil
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
	s.keys, err = published.Open(ctx, published.Config{
		Store: s.store, Plane: c.plane, Plaintext: c.plaintext, Log: c.log, Now: time.Now, After: time.After,
	})
	if err != nil {
		return fmt.Errorf("--plane: %w", err)
	}
	trusted, err := openTrusted(c.file.TrustedIssuers, c.plane, c.log)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	s.verifier = auth.NewVerifier(s.keys, time.Now).Trusting(region.NewAccounts(plane, time.Now), trusted...)
	link.Grants = s.grants
	if s.reporter, err = federation.NewReporter(link); err != nil {
		return fmt.Errorf("--plane: %w", err)
	}
	return nil
}

// close ends in reverse what was opened; what was acknowledged is durable
// already.
func (s *site) close() {
	for _, closing := range slices.Backward(s.closers) {
		_ = closing()
	}
}

// run drives the engine and reports, until ctx ends or another daemon takes
// over.
func (s *site) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return untilFenced(s.reconciler.Run(ctx)) })
	group.Go(func() error { return untilFenced(s.region.ShowClusters(ctx, s.clusters, s.prober.Run)) })
	group.Go(func() error {
		s.keys.Run(ctx)
		return nil
	})
	group.Go(func() error { return s.reporter.Run(ctx) })
	return group.Wait()
}

// untilFenced leaves it to the reporter to say that the region is fenced.
func untilFenced(err error) error {
	if errors.Is(err, region.ErrFenced) {
		return nil
	}
	return err
}
