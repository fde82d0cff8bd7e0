package showcase

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// Bounds and defaults of Config.
const (
	DefaultFleet = 48
	MaxFleet     = 1_000_000
	DefaultPace  = 2 * time.Second
)

// Config says what to simulate.
type Config struct {
	Region        string        // part of what the ids of projects and clusters are made from
	Organizations []cloud.ID    // whose instances and clusters they are; at least one
	Fleet         int           // instances, 1 to MaxFleet; 0 means DefaultFleet
	Seed          uint64        // of chance; should differ between regions that are to differ
	Pace          time.Duration // mean time between two changes that begin; 0 means DefaultPace

	Now   func() time.Time
	After func(time.Duration) <-chan time.Time // as time.After
}

// Engine is the simulated engine.
type Engine struct{ config Config }

var _ engine.Inventory = (*Engine)(nil)

// New checks the configuration. CodeInvalid if it is out of bounds.
func New(c Config) (*Engine, error) {
	if c.Fleet == 0 {
		c.Fleet = DefaultFleet
	}
	if c.Pace == 0 {
		c.Pace = DefaultPace
	}
	switch {
	case c.Fleet < 1 || c.Fleet > MaxFleet:
		return nil, cloud.Invalid("a simulated fleet has 1 to %d instances; got %d", MaxFleet, c.Fleet)
	case c.Pace < 0:
		return nil, cloud.Invalid("the pace of a simulated fleet must be positive; got %v", c.Pace)
	case len(c.Organizations) == 0:
		return nil, cloud.Invalid("a simulated fleet needs an organization that it belongs to")
	}
	for _, id := range c.Organizations {
		if parsed, err := cloud.ParseID(string(id)); err != nil || parsed != id {
			return nil, cloud.Invalid("the organization of a simulated fleet must be a UUID in lower case; got %q", id)
		}
	}
	return &Engine{config: c}, nil
}

// Run implements engine.Inventory.
func (e *Engine) Run(ctx context.Context, sink engine.Sink) error {
	err := newSimulation(e.config, sink).run(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// simulation is one run of the engine. One goroutine owns it, so that the
// same seed and clock give the same story.
type simulation struct {
	Config
	sink  engine.Sink
	rand  *rand.Rand
	queue queue

	hosts    []host
	jobs     []*job
	clusters []*cluster
	nextBeat time.Time

	machines []machine // by slot
	running  pool      // slots of machines that run without a fault
	stopped  pool      // slots of machines that are stopped
	serial   uint32    // the highest in any name
	troubled int       // machines in trouble now
	hanging  int       // machines that hang in a passing state
}

func newSimulation(c Config, sink engine.Sink) *simulation {
	s := &simulation{
		Config:   c,
		sink:     sink,
		rand:     rand.New(rand.NewPCG(c.Seed, 0)), //nolint:gosec // a simulation wants chance that can be repeated
		hosts:    make([]host, min(max(c.Fleet/machinesPerHost, minHosts), maxHosts)),
		machines: make([]machine, c.Fleet),
	}
	for _, organization := range c.Organizations {
		s.jobs = append(s.jobs, newJobs(c.Region, organization)...)
		s.clusters = append(s.clusters, newClusters(c.Region, organization)...)
	}
	return s
}

func (s *simulation) run(ctx context.Context) error {
	if err := s.beat(); err != nil {
		return err
	}
	if err := s.recall(ctx); err != nil {
		return err
	}
	if err := s.reportClusters(ctx); err != nil {
		return err
	}
	if err := s.populate(ctx); err != nil {
		return err
	}
	now := s.Now()
	s.queue.push(event{at: s.nextBeat, kind: eventBeat})
	s.queue.push(event{at: now.Add(s.pause()), kind: eventChange})
	s.queue.push(event{at: now.Add(s.between(firstSilence)), kind: eventSilence})
	s.queue.push(event{at: now.Add(s.between(firstOutage)), kind: eventOutage})
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if wait := s.queue.next().Sub(s.Now()); wait > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-s.After(wait):
			}
			continue
		}
		if err := s.happen(ctx, s.queue.pop()); err != nil {
			return err
		}
	}
}

// span is a range of durations from which chance chooses.
type span struct{ from, to time.Duration }

func (s *simulation) between(d span) time.Duration {
	return d.from + time.Duration(s.rand.Int64N(int64(d.to-d.from)))
}

// pause is the time until the next story begins: the pace on average, and
// never so long that the fleet seems dead.
func (s *simulation) pause() time.Duration {
	return min(time.Duration(s.rand.ExpFloat64()*float64(s.Pace)), 4*s.Pace)
}
