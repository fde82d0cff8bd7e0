package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation"
	"github.com/penstock-cloud/penstock/internal/serving"
)

type serveRegionCommand struct {
	Name           string   `required:"" placeholder:"NAME" help:"The region's name, as the plane knows it."`
	Plane          string   `required:"" placeholder:"URL" help:"The plane to report to."`
	CredentialFile string   `required:"" type:"path" placeholder:"FILE" help:"Holds what 'penstock admin region create' printed."`
	PlanePlaintext bool     `help:"Report to a plane at http:// beyond this machine; the credential then travels in the clear."`
	DataDir        string   `type:"path" placeholder:"DIR" help:"Holds the database; one process at a time holds it (default: ${data_dir}/regions/NAME)."`
	Database       string   `placeholder:"DB" help:"The database, instead of the one in the folder: a file, or postgres://…"`
	Listen         string   `default:"127.0.0.1:8081" placeholder:"ADDR" help:"Where to listen (default: ${default})."`
	Engine         string   `default:"simulated" placeholder:"NAME" help:"What runs the machines: simulated or libvirt (default: ${default})."`
	Config         string   `type:"path" placeholder:"FILE" help:"Types, addresses, quotas and the engine's settings; see docs/region.md (default: simulated hosts)."`
	TakeOver       bool     `env:"-" help:"Go on although another daemon of the region fenced this one; that one is fenced in turn."`
	Organization   []string `placeholder:"ID" help:"Organizations for which a fresh region with simulated hosts is given instances, for demonstrations; repeat it for several."`
	Fleet          int      `default:"48" placeholder:"N" help:"How many instances those are, 0 to 1000 (default: ${default})."`
	serverFlags
	logFlags
}

// Validate is called by the parser.
func (c *serveRegionCommand) Validate() error { return checkFleet(c.Fleet) }

// Run serves the region and reports until ctx ends.
func (c *serveRegionCommand) Run(ctx context.Context, std streams) error {
	config, err := c.config()
	if err != nil {
		return err
	}
	if c.DataDir == "" {
		c.DataDir = filepath.Join(defaultDataDir(), "regions", c.Name)
	}
	held, release, err := holdDatabase(dataDir(c.DataDir), c.Database, dataDir.regionDatabase)
	if err != nil {
		return err
	}
	defer release()
	proc, err := newProcess(ctx, std, c.logFlags)
	if err != nil {
		return err
	}
	defer proc.close()
	at, err := proc.listen(ctx, "--listen", c.Listen, c.serverFlags)
	if err != nil {
		return err
	}
	config.database, config.folder, config.log, config.metrics = held, c.DataDir, proc.log, proc.metrics
	site, err := openSite(ctx, config)
	if err != nil {
		return err
	}
	defer site.close()

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return proc.serveOps(ctx) })
	group.Go(func() error { return at.Serve(ctx, site.handler) })
	group.Go(func() error { return site.run(ctx) })
	fmt.Fprintf(std.out, "Region %s serves %s and reports to %s; %s.\n", c.Name, at.URL(), c.Plane, whatRuns(c.Engine))
	err = group.Wait()
	if errors.Is(err, federation.ErrFenced) {
		return fmt.Errorf("%w; stop the other one, and start this one, once, with --take-over, if it is to go on", err)
	}
	return err
}

func (c *serveRegionCommand) config() (siteConfig, error) {
	config := siteConfig{name: c.Name, plane: c.Plane, plaintext: c.PlanePlaintext, engine: c.Engine, fleet: c.Fleet, takeOver: c.TakeOver}
	if err := cloud.CheckName("--name", c.Name); err != nil {
		return config, err
	}
	for _, text := range c.Organization {
		id, err := cloud.ParseID(text)
		if err != nil {
			return config, fmt.Errorf("--organization: %w", err)
		}
		config.showTo = append(config.showTo, id)
	}
	var err error
	if config.proxies, err = serving.ParseProxies(c.BehindProxy); err != nil {
		return config, err
	}
	file, err := readSiteFile(c.Config)
	if err != nil {
		return config, err
	}
	config.file = file
	if len(config.showTo) > 0 && !file.demonstrates(c.Engine) {
		return config, errors.New("--organization: there is nothing to demonstrate; list it in --config under simulated.demonstration, and have --engine simulated")
	}
	secret, err := readSecret(c.CredentialFile)
	if err != nil {
		return config, fmt.Errorf("--credential-file: %w", err)
	}
	if secret == "" {
		return config, fmt.Errorf("--credential-file: %s is missing or empty; put there what 'penstock admin region create' printed", c.CredentialFile)
	}
	config.credential = cloud.NewSecret(secret)
	return config, nil
}

// whatRuns says what an engine's machines are.
func whatRuns(engine string) string {
	if engine == "simulated" {
		return "its machines are simulated, none is real"
	}
	return "its machines are run by " + engine
}
