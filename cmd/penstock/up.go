package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation"
)

type upCommand struct {
	DataDir      string `type:"path" default:"${data_dir}" placeholder:"DIR" help:"Databases, keys and the admin's token; one process at a time holds it (default: ${default})."`
	Listen       string `default:"127.0.0.1:8080" placeholder:"ADDR" help:"Where the plane listens (default: ${default})."`
	RegionListen string `default:"127.0.0.1:8081" placeholder:"ADDR" help:"Where the region listens (default: ${default})."`
	Engine       string `default:"simulated" placeholder:"NAME" help:"What runs the region's machines: simulated or libvirt (default: ${default})."`
	Config       string `type:"path" placeholder:"FILE" help:"The region's types, addresses, quotas and its engine's settings; see docs/region.md (default: simulated hosts)."`
	Identity     string `type:"path" placeholder:"FILE" help:"Mail, sign-in providers, trusted issuers and how long the audit is kept; see docs/identity.md."`
	Fleet        int    `default:"48" placeholder:"N" help:"How many instances a fresh region with simulated hosts is given, to have something to see; 0 to 1000 (default: ${default})."`
	healthFlags
	logFlags
}

// Validate is called by the parser.
func (c *upCommand) Validate() error { return checkFleet(c.Fleet) }

// maxFleet bounds what is made in one transaction, before the region serves.
const maxFleet = 1000

// checkFleet holds for --fleet.
func checkFleet(n int) error {
	if n < 0 || n > maxFleet {
		return fmt.Errorf("--fleet must be 0 to %d; got %d", maxFleet, n)
	}
	return nil
}

// Run starts plane and region in this process, with a database each and HTTP
// between them, and ends them when ctx does.
func (c *upCommand) Run(ctx context.Context, std streams) error {
	policy, err := c.policy()
	if err != nil {
		return err
	}
	file, err := readSiteFile(c.Config)
	if err != nil {
		return err
	}
	identity, err := readIdentityFile(c.Identity)
	if err != nil {
		return err
	}
	dir := dataDir(c.DataDir)
	release, err := holdFolder(dir, dir.planeDatabase(), dir.regionDatabase())
	if err != nil {
		return err
	}
	defer release()
	proc, err := newProcess(ctx, std, c.logFlags)
	if err != nil {
		return err
	}
	defer proc.close()
	planeAt, err := proc.listen(ctx, "--listen", c.Listen, serverFlags{})
	if err != nil {
		return err
	}
	regionAt, err := proc.listen(ctx, "--region-listen", c.RegionListen, serverFlags{})
	if err != nil {
		return err
	}

	plane, err := openPlane(ctx, planeConfig{
		database: database(dir.planeDatabase()), url: planeAt.URL(), policy: policy, identity: identity, log: proc.log, metrics: proc.metrics,
	})
	if err != nil {
		return err
	}
	defer plane.close()
	made, err := plane.bootstrap(ctx, dir, regionAt.URL())
	if err != nil {
		return err
	}
	site, err := openSite(ctx, siteConfig{
		name: localRegion, database: database(dir.regionDatabase()), plane: planeAt.URL(), credential: made.credential,
		folder: c.DataDir, engine: c.Engine, file: file,
		showTo: []cloud.ID{made.organization.ID}, fleet: c.Fleet, log: proc.log, metrics: proc.metrics,
		// Whoever holds the folder has plane and region in one process: nobody is
		// in the right against it.
		takeOver: true,
	})
	if err != nil {
		return err
	}
	defer site.close()

	start := time.Now()
	seq, err := site.seq(ctx)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return proc.serveOps(ctx) })
	group.Go(func() error { return planeAt.Serve(ctx, plane.handler) })
	group.Go(func() error { return regionAt.Serve(ctx, site.handler) })
	group.Go(func() error { return plane.stayAlive(ctx) })
	group.Go(func() error { return plane.keepHouse(ctx) })
	group.Go(func() error { return plane.sendMail(ctx) })
	group.Go(func() error { return plane.keepAdminToken(ctx, dir) })
	group.Go(func() error { return site.run(ctx) })
	awaitReport(ctx, plane, seq, start)
	greet(std, greeting{plane: planeAt.URL(), region: regionAt.URL(), runs: whatRuns(c.Engine), metrics: proc.opsURL(), dir: dir})
	err = group.Wait()
	if errors.Is(err, federation.ErrFenced) {
		return fmt.Errorf("%w: it used the credential of the region %s in %s; stop it, and start `penstock up` again, which takes over", err, localRegion, dir)
	}
	return err
}

// reportPatience is how long the greeting waits for the region, so that what
// it prints shows instances when pasted.
const (
	reportPatience = 700 * time.Millisecond
	reportPoll     = 20 * time.Millisecond
)

// awaitReport waits until the plane has heard of the region since the start, and
// of what the region had then, or patience ends.
func awaitReport(ctx context.Context, p *plane, seq uint64, start time.Time) {
	ctx, cancel := context.WithTimeout(ctx, reportPatience)
	defer cancel()
	reported := func(l cloud.Link) bool {
		return l.Region == localRegion && l.SyncedAt.After(start) && l.AppliedSeq >= seq
	}
	for {
		links, err := p.control.As(system).Links(ctx)
		if err == nil && slices.ContainsFunc(links, reported) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(reportPoll):
		}
	}
}

// greeting is what there is to be said of what runs.
type greeting struct {
	plane, region string // their URLs
	runs          string // what the region's machines are
	metrics       string
	dir           dataDir
}

// greet says what there is. The lines to be pasted hold whatever the folder is
// called.
func greet(std streams, g greeting) {
	curl := fmt.Sprintf(`curl -sH "Authorization: Bearer $(cat %s)"`, shellQuote(g.dir.adminToken()))
	fmt.Fprintf(std.out, `Penstock is up.

  Management API      %s/api/v1alpha1
  documentation       %s/docs/
  Infrastructure API  %s/api/v1alpha1
  documentation       %s/docs/
                      of the region "local"; %s
  metrics             %s
  admin's token       %s
  data                %s

Try, of the cloud, and to make a project to launch instances in:

  %s %s/api/v1alpha1/user
  %s '%s/api/v1alpha1/instances?limit=3'
  %s -H 'Content-Type: application/json' -d '{"name":"first"}' %s/api/v1alpha1/projects

Ctrl-C ends it; what was acknowledged is kept.
`, g.plane, g.plane, g.region, g.region, g.runs, g.metrics, g.dir.adminToken(), g.dir, curl, g.plane, curl, g.plane, curl, g.region)
}

// shellQuote makes one word of a text for POSIX shells.
func shellQuote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
