package cluster

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

const (
	// probeEvery is how often a cluster is asked; it is fresh for 90 s.
	probeEvery = 25 * time.Second
	// probeLimit is how long an answer may take.
	probeLimit = 10 * time.Second
)

// Verdict is what a probe found.
type Verdict string

// The verdicts. Silent is no news: nobody answered who could tell, so what was
// known last gets older.
const (
	Up     Verdict = "up"
	Down   Verdict = "down" // it positively does not serve
	Silent Verdict = "silent"
)

// Asker asks one cluster. The error says why it is not up, for the operator.
type Asker interface {
	Ask(ctx context.Context) (Verdict, error)
}

// Target is a cluster that is probed.
type Target struct {
	ID  cloud.ID
	Ask Asker
}

// Sink is told what was found.
type Sink interface {
	// ClusterAnswered notes that a cluster is up or down, as of now.
	ClusterAnswered(ctx context.Context, id cloud.ID, down bool) error
}

// Config is what a Prober is made of; all fields are required.
type Config struct {
	Targets []Target
	Sink    Sink
	Log     *slog.Logger
	After   func(time.Duration) <-chan time.Time
}

// Prober probes clusters.
type Prober struct{ Config }

// NewProber returns one that has not begun.
func NewProber(c Config) *Prober { return &Prober{c} }

// Run probes until ctx ends, and returns ctx.Err(); each cluster by itself, so
// that a slow one holds up no other.
func (p *Prober) Run(ctx context.Context) error {
	var group errgroup.Group
	for _, target := range p.Targets {
		group.Go(func() error { return p.attend(ctx, target) })
	}
	<-ctx.Done()     // there may be none
	_ = group.Wait() // for the same reason
	return ctx.Err()
}

func (p *Prober) attend(ctx context.Context, target Target) error {
	var last Verdict
	for {
		last = p.probe(ctx, target, last)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.After(probeEvery):
		}
	}
}

// probe asks once. What is not as it was last time is told to the operator too.
func (p *Prober) probe(ctx context.Context, target Target, last Verdict) Verdict {
	asking, cancel := context.WithTimeout(ctx, probeLimit)
	verdict, cause := target.Ask.Ask(asking)
	cancel()
	if ctx.Err() != nil {
		return last
	}
	if verdict != last {
		p.tell(ctx, target, verdict, cause)
	}
	if verdict == Silent {
		return verdict
	}
	if err := p.Sink.ClusterAnswered(ctx, target.ID, verdict == Down); err != nil && ctx.Err() == nil {
		p.Log.WarnContext(ctx, "what was found of a cluster could not be written down; trying again", "cluster", target.ID, "error", err)
	}
	return verdict
}

func (p *Prober) tell(ctx context.Context, target Target, found Verdict, cause error) {
	if found == Up {
		p.Log.InfoContext(ctx, "a declared cluster answers", "cluster", target.ID)
		return
	}
	p.Log.WarnContext(ctx, "a declared cluster is not known to be up", "cluster", target.ID, "found", found, "error", cause)
}

// Targets lists the clusters of a configuration of which there is something to
// ask. Nothing vouches for the others.
func Targets(kubernetes []cloud.KubernetesCluster, slurm []cloud.SlurmCluster, readFile func(string) ([]byte, error), dial Dial) []Target {
	var targets []Target
	for _, c := range kubernetes {
		if c.Kubeconfig != "" || c.Endpoint != "" {
			targets = append(targets, Target{c.ID, Kubernetes{c, readFile}})
		}
	}
	for _, c := range slurm {
		if slices.ContainsFunc(c.LoginNodes, func(n cloud.SlurmLoginNode) bool { return n.PublicIP != "" }) {
			targets = append(targets, Target{c.ID, Slurm{c, dial}})
		}
	}
	return targets
}
