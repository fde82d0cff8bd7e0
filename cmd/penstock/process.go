package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/penstock-cloud/penstock/internal/observe"
	"github.com/penstock-cloud/penstock/internal/serving"
)

// process is what every long-running command has: a log, metrics, and a
// listener for them.
type process struct {
	log     *slog.Logger
	flush   func()
	metrics *observe.Metrics
	ops     *serving.Server // nil where metrics are served nowhere
}

func newProcess(ctx context.Context, std streams, f logFlags) (*process, error) {
	p := &process{metrics: observe.NewMetrics(version())}
	p.log, p.flush = observe.NewLogger(std.err, slog.Level(f.LogLevel))
	if f.OpsListen == "" {
		return p, nil
	}
	var err error
	p.ops, err = p.listen(ctx, "--ops-listen", f.OpsListen, serverFlags{})
	return p, err
}

func (p *process) close() { p.flush() }

func (p *process) serveOps(ctx context.Context) error {
	if p.ops == nil {
		return nil
	}
	return p.ops.Serve(ctx, observe.OpsHandler(p.metrics))
}

func (p *process) opsURL() string {
	if p.ops == nil {
		return "off"
	}
	return p.ops.URL() + "/metrics"
}

// listen binds the address that a flag names.
func (p *process) listen(ctx context.Context, flag, address string, f serverFlags) (*serving.Server, error) {
	proxies, err := serving.ParseProxies(f.BehindProxy)
	if err != nil {
		return nil, err
	}
	return serving.Listen(ctx, serving.Config{
		Address: address, Flag: flag, TLSCert: f.TLSCert, TLSKey: f.TLSKey, BehindProxy: proxies, Log: p.log, Now: time.Now,
	})
}
