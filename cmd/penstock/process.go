package main

import (
	"context"
	"log/slog"
	"runtime"
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
	ballast []byte
}

// ballastSize is what the garbage collector counts to the heap from the start,
// in bytes. It doubles the heap before it collects; a plane's is so small that
// it would collect every few thousand requests, which takes an eighth of their
// time. Nothing is ever written to the ballast, so it takes no memory itself.
const ballastSize = 64 << 20

func newProcess(ctx context.Context, std streams, f logFlags) (*process, error) {
	p := &process{metrics: observe.NewMetrics(version()), ballast: make([]byte, ballastSize)}
	p.log, p.flush = observe.NewLogger(std.err, slog.Level(f.LogLevel))
	if f.OpsListen == "" {
		return p, nil
	}
	var err error
	p.ops, err = p.listen(ctx, "--ops-listen", f.OpsListen, serverFlags{})
	return p, err
}

func (p *process) close() {
	p.flush()
	runtime.KeepAlive(p.ballast)
}

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
