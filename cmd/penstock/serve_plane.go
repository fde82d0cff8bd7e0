package main

import (
	"context"
	"fmt"
	"net/url"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-cloud/penstock/internal/serving"
)

type servePlaneCommand struct {
	DataDir   string `type:"path" default:"${data_dir}" placeholder:"DIR" help:"Holds the database; one process at a time holds it (default: ${default})."`
	Database  string `placeholder:"DB" help:"The database, instead of the one in the folder: a file, or postgres://…"`
	Listen    string `default:"127.0.0.1:8080" placeholder:"ADDR" help:"Where to listen (default: ${default})."`
	PublicURL string `name:"public-url" placeholder:"URL" help:"Under which clients and regions reach the plane; tokens name it as their issuer (default: where it listens)."`
	Identity  string `type:"path" placeholder:"FILE" help:"Mail, sign-in providers, trusted issuers and how long the audit is kept; see docs/identity.md."`
	serverFlags
	healthFlags
	logFlags
}

// Run serves the plane until ctx ends.
func (c *servePlaneCommand) Run(ctx context.Context, std streams) error {
	policy, err := c.policy()
	if err != nil {
		return err
	}
	proxies, err := serving.ParseProxies(c.BehindProxy)
	if err != nil {
		return err
	}
	identity, err := readIdentityFile(c.Identity)
	if err != nil {
		return err
	}
	held, release, err := holdDatabase(dataDir(c.DataDir), c.Database, dataDir.planeDatabase)
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
	reached, err := publicURL(c.PublicURL, at.URL())
	if err != nil {
		return err
	}
	plane, err := openPlane(ctx, planeConfig{
		database: held, url: reached, policy: policy, proxies: proxies, identity: identity, log: proc.log, metrics: proc.metrics,
	})
	if err != nil {
		return err
	}
	defer plane.close()

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return proc.serveOps(ctx) })
	group.Go(func() error { return at.Serve(ctx, plane.handler) })
	group.Go(func() error { return plane.stayAlive(ctx) })
	group.Go(func() error { return plane.keepHouse(ctx) })
	group.Go(func() error { return plane.sendMail(ctx) })
	fmt.Fprintf(std.out, "The plane serves %s/api/v1alpha1 from %s; metrics: %s\n", reached, held, proc.opsURL())
	return group.Wait()
}

// publicURL checks the URL that tokens name as their issuer; where none is
// given, it is where the plane listens.
func publicURL(text, listening string) (string, error) {
	if text == "" {
		return listening, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", fmt.Errorf("--public-url must be a URL such as https://cloud.example.com, without query; got %q", text)
	}
	if u.Path != "" && u.Path != "/" {
		return "", fmt.Errorf("--public-url must have no path, since the APIs have their own; got %q", text)
	}
	return u.Scheme + "://" + u.Host, nil
}
