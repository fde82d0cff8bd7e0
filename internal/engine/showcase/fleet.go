package showcase

import (
	"context"
	"fmt"
	"slices"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// recall takes up from what the region knew, and takes away what has no place
// in this simulation any more: a fleet that was larger, an organization that
// is not ours now.
func (s *simulation) recall(ctx context.Context) error {
	var gone []cloud.ObjectKey
	flush := func(atLeast int) error {
		if len(gone) < atLeast {
			return nil
		}
		batch := engine.Batch{Gone: gone}
		gone = nil
		return s.sink.Observe(ctx, batch)
	}
	for o, err := range s.sink.Known(ctx) {
		if err != nil {
			return err
		}
		if !s.take(o) {
			gone = append(gone, o.ObjectKey)
		}
		if err := flush(engine.MaxBatch); err != nil {
			return err
		}
		if err := s.beatIfDue(); err != nil {
			return err
		}
	}
	return flush(1)
}

// take makes a known object part of the simulation, if it can be.
func (s *simulation) take(o cloud.Object) bool {
	switch o.Kind {
	case cloud.KindCluster:
		i := slices.IndexFunc(s.clusters, func(c *cluster) bool { return c.ID == o.ID })
		if i < 0 {
			return false
		}
		if r, err := cloud.ParseClusterReport(o.Body); err == nil && r.Down {
			s.takeDown(i)
		}
		return true
	case cloud.KindInstance:
		slot, m, ok := s.recognize(o)
		if !ok || s.machines[slot].job != nil {
			return false
		}
		s.machines[slot] = m
		s.serial = max(s.serial, m.serial)
		s.settle(slot)
		return true
	}
	return false
}

func (s *simulation) reportClusters(ctx context.Context) error {
	for _, c := range s.clusters {
		if err := s.observeCluster(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (s *simulation) observeCluster(ctx context.Context, c *cluster) error {
	return s.sink.Observe(ctx, engine.Batch{Source: c.Source, Clusters: []engine.Cluster{c.Cluster}})
}

// populate fills the free slots with machines that look as if they had been
// there for a while, host by host in batches, each made only when it is sent.
func (s *simulation) populate(ctx context.Context) error {
	for h := range s.hosts {
		batch := engine.Batch{Source: hostName(int32(h))} // bounded by maxHosts
		for slot := h; slot < len(s.machines); slot += len(s.hosts) {
			if s.machines[slot].job == nil {
				s.machines[slot] = s.seasoned(slot, int32(h)) // bounded by maxHosts
				s.settle(slot)
				batch.Instances = append(batch.Instances, s.machines[slot].instance(slot))
			}
			last := slot+len(s.hosts) >= len(s.machines)
			if len(batch.Instances) < engine.MaxBatch && !last || len(batch.Instances) == 0 {
				continue
			}
			if err := s.sink.Observe(ctx, batch); err != nil {
				return fmt.Errorf("populate the simulated fleet: %w", err)
			}
			if err := s.beatIfDue(); err != nil {
				return err
			}
			batch.Instances = nil
		}
	}
	return nil
}

// seasoned makes a machine for a fleet that exists already: most run, some
// are stopped, and a few have a trouble to look at.
func (s *simulation) seasoned(slot int, host int32) machine {
	m := s.fresh(host)
	m.state = cloud.InstanceRunning
	switch {
	case s.troubled < s.budget() && slot == 5:
		m.fault = faults[0]
	case s.troubled < s.budget() && slot == 21:
		m.state, m.fault = cloud.InstanceError, failures[0]
	case s.troubled < s.budget() && slot == 37:
		m.state = cloud.InstanceOutOfStock
	case !m.job.ephemeral && s.rand.IntN(5) == 0:
		m.state = cloud.InstanceStopped
	}
	return m
}

// fresh makes a machine that is about to be created.
func (s *simulation) fresh(host int32) machine {
	s.serial++
	return machine{
		condition: condition{state: cloud.InstanceCreating},
		id:        s.newID(s.Now()),
		job:       s.jobs[s.rand.IntN(len(s.jobs))],
		host:      host,
		serial:    s.serial,
	}
}
