package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/penstock-cloud/penstock/internal/rest"
)

// fleetSize tells the planes of one run apart.
type fleetSize string

const (
	smallFleet fleetSize = "small"
	largeFleet fleetSize = "large"
)

// build compiles the program as `make build` does, and once more without what
// debuggers need, for its size.
func build(ctx context.Context, dir string) (binary string, sizes binarySizes, err error) {
	progress("building penstock")
	for _, variant := range []struct {
		name, flags string
		size        *int64
	}{
		{"penstock-stripped", "-s -w", &sizes.Stripped},
		{"penstock", "", &sizes.Plain},
	} {
		binary = filepath.Join(dir, variant.name)
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", variant.flags, "-o", binary,
			"github.com/penstock-cloud/penstock/cmd/penstock")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return "", sizes, fmt.Errorf("build penstock: %w", err)
		}
		info, err := os.Stat(binary)
		if err != nil {
			return "", sizes, err
		}
		*variant.size = info.Size()
	}
	return binary, sizes, nil
}

// plane is a running `penstock serve plane`, set up as in production: tokens,
// access log, metrics.
type plane struct {
	*child
	binary, dir string
	instances   int
	api, ops    string // URLs
	started     time.Duration
	fresh       int64 // memory before the load, and after it
	loaded      int64
}

// preparePlane puts a fleet into a database of its own and starts a plane on it.
func preparePlane(ctx context.Context, binary, dir string, instances int) (*plane, error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	p := &plane{binary: binary, dir: dir, instances: instances}
	progress("loading %d instances", instances)
	if err := loadFleet(ctx, filepath.Join(dir, "plane.db"), instances); err != nil {
		return nil, fmt.Errorf("load the fleet: %w", err)
	}
	if err := p.start(ctx); err != nil {
		return nil, err
	}
	p.fresh = memory(p.pid())
	return p, nil
}

// start starts the plane and waits until it is ready, which it times.
func (p *plane) start(ctx context.Context) error {
	// Thresholds of a day: no health may change while the fleet says nothing.
	c := newChild(ctx, p.binary, "serve", "plane", "--data-dir", p.dir,
		"--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0", "--rate-limit", unreached,
		"--instance-stale", "24h", "--instance-offline", "48h")
	log, err := os.OpenFile(filepath.Join(p.dir, "access.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	c.cmd.Stderr = log
	begin := time.Now()
	if err := c.start(); err != nil {
		return err
	}
	p.child = c
	err = p.awaitReady(ctx)
	p.started = time.Since(begin)
	if err != nil {
		p.stop()
		said, _ := os.ReadFile(log.Name())
		return fmt.Errorf("start the plane: %w: %.1000s", err, said)
	}
	return nil
}

// unreached is a limit that counts every request and stops none.
var unreached = strconv.Itoa(rest.MaxRate)

// greeting is what the plane prints when it has its addresses.
var greeting = regexp.MustCompile(`serves (http://\S+/api/v1alpha1) .*metrics: (http://\S+)/metrics`)

// startPatience bounds the wait for a plane.
const (
	startPatience = time.Minute
	readyPoll     = time.Millisecond
)

func (p *plane) awaitReady(ctx context.Context) error {
	line, err := p.stdout.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	urls := greeting.FindStringSubmatch(line)
	if urls == nil {
		return fmt.Errorf("it said %q; want its URLs", line)
	}
	p.api, p.ops = urls[1], urls[2]
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		a, err := get(ctx, "http://"+p.address()+"/readyz", http.Header{})
		if err == nil && a.Status == http.StatusOK {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(readyPoll):
		}
	}
}

// address is where the plane listens.
func (p *plane) address() string {
	u, err := url.Parse(p.api)
	if err != nil {
		return ""
	}
	return u.Host
}

// token gets a token for the organization's member, as an operator does.
func (p *plane) token(ctx context.Context, organization string) (string, error) {
	return p.tokenOf(ctx, memberOf(organization), "viewer", organization)
}

// tokenOf gets one for somebody who is made a member if they are none.
func (p *plane) tokenOf(ctx context.Context, email, role, organization string) (string, error) {
	c := newChild(ctx, p.binary, "admin", "--data-dir", p.dir, "token", "create",
		"--email", email, "--role", role, "--org", organization)
	defer c.cancel()
	out, err := c.cmd.Output()
	if err != nil {
		return "", fmt.Errorf("make a token: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// footprint says what the plane costs before it has done anything. It starts
// the plane anew so many times.
func (p *plane) footprint(ctx context.Context, starts int) (footprint, error) {
	f := footprint{Instances: p.instances, FreshBytes: p.fresh, LoadedBytes: p.loaded}
	times := make([]float64, starts)
	for i := range times {
		p.stop()
		if err := p.start(ctx); err != nil {
			return f, err
		}
		times[i] = float64(p.started.Microseconds()) / 1000
	}
	f.StartMillis = spreadOf(times)
	return f, nil
}
