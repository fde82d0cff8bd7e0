package federation_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// operation is something that may happen. Its arguments are any two numbers.
type operation struct {
	name   string
	weight int
	happen func(s *simulation, n, m int)
}

var operations = []operation{
	// The region changes, or its rival, if there is one.
	{"put", 18, func(s *simulation, n, m int) { s.speaker(m).put(n, m) }},
	{"bury", 9, func(s *simulation, n, m int) { s.speaker(m).bury(instanceKey(n % simInstances)) }},
	{"put-cluster", 3, func(s *simulation, n, m int) { s.speaker(m).putCluster(n, m) }},
	{"bury-cluster", 2, func(s *simulation, n, m int) { s.speaker(m).bury(clusterKey(n % simClusters)) }},
	{"heard", 5, func(s *simulation, n, m int) { s.speaker(m).hear(n) }},
	{"fill", 2, func(s *simulation, n, m int) { s.speaker(m).fill(n) }},
	{"clear", 2, func(s *simulation, n, m int) { s.speaker(m).clear(n) }},
	{"act", 8, func(s *simulation, n, m int) { s.speaker(m).act(n, m) }},
	{"prune", 1, func(s *simulation, _, m int) { s.speaker(m).prune() }},

	{"pass", 25, func(s *simulation, n, _ int) { s.pass(spans[n%len(spans)]) }},

	// The network.
	{"mishap", 12, func(s *simulation, n, m int) {
		for range 1 + m%3 {
			s.mishaps = append(s.mishaps, mishaps[n%len(mishaps)])
		}
	}},
	{"cut", 2, func(s *simulation, _, _ int) { s.cut = true }},
	{"mend", 3, func(s *simulation, _, _ int) { s.cut = false }},
	{"deliver", 6, func(s *simulation, n, _ int) { s.deliverLate(n) }},

	// Crashes: now, or at a statement to come.
	{"crash-region", 4, func(s *simulation, n, m int) {
		d := s.speaker(m)
		if d.crashIn = n % 12; d.crashIn == 0 {
			d.restart(d.db)
		}
	}},
	{"crash-plane", 3, func(s *simulation, n, _ int) {
		if s.planeCrashIn = n % 20; s.planeCrashIn == 0 {
			s.startPlane()
		}
	}},
	{"outage", 1, func(s *simulation, n, _ int) {
		s.markAlive()
		s.planeAway = true
		s.pass(spans[n%len(spans)])
		s.planeAway = false
		s.startPlane()
	}},

	// Databases are put back from old copies.
	{"save-region", 3, func(s *simulation, _, _ int) { s.regionCopy = s.media.cloneRegion(s.region.db) }},
	{"restore-region", 2, func(s *simulation, _, _ int) {
		if s.regionCopy != nil {
			s.region.restart(s.media.cloneRegion(s.regionCopy))
		}
	}},
	{"save-plane", 3, func(s *simulation, _, _ int) {
		s.markAlive()
		s.dbCopy = s.media.clonePlane(s.db)
	}},
	{"restore-plane", 2, func(s *simulation, _, _ int) {
		if s.dbCopy != nil {
			s.db = s.media.clonePlane(s.dbCopy)
			s.startPlane()
		}
	}},

	// What the operator of the plane does.
	{"admit", 2, func(s *simulation, _, m int) { s.admit(m%2 == 0) }},
	{"adopt", 1, func(s *simulation, _, _ int) { s.adopt() }},
	{"accept", 1, func(s *simulation, _, _ int) { s.accept() }},

	// Another daemon runs on a copy of the region's database.
	{"rival", 2, func(s *simulation, _, _ int) {
		if s.rival != nil {
			s.rival.stop()
		}
		s.rival = s.newDaemon("rival", s.media.cloneRegion(s.region.db))
	}},

	// Clocks jump. The plane finds out by its next sign of life, a few seconds
	// later; here at once. A region's clock counts when a process starts: what
	// runs measures spans.
	{"clock-plane", 2, func(s *simulation, n, m int) {
		s.markAlive()
		s.planeClock += jump(n, m)
		s.markAlive()
		s.dbCopy = nil // whoever puts back a copy from before that hides the jump
	}},
	{"clock-region", 1, func(s *simulation, n, m int) { s.regionClock += jump(n, m) }},
}

// spans are what an argument stands for: mostly short, since in a long one
// little happens.
var spans = []time.Duration{
	8 * time.Millisecond, 12 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond, 250 * time.Millisecond,
	500 * time.Millisecond, time.Second, time.Second, 2 * time.Second, 5 * time.Second,
	5 * time.Second, 10 * time.Second, 20 * time.Second, 20 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 4 * time.Minute, 4 * time.Minute, 11 * time.Minute,
}

func jump(n, m int) time.Duration {
	d := []time.Duration{time.Minute, 4 * time.Minute, 10 * time.Minute, 24 * time.Hour}[n%4]
	if m%2 == 0 {
		return -d
	}
	return d
}

// speaker is one of the daemons.
func (s *simulation) speaker(m int) *daemon {
	if s.rival != nil && m%3 == 2 {
		return s.rival
	}
	return s.region
}

func (d *daemon) put(n, m int) {
	d.observe(engine.Batch{Source: sourceName(n), Instances: []engine.Instance{{
		ID: instanceKey(n % simInstances).ID,
		InstanceReport: cloud.InstanceReport{
			OrganizationID: []cloud.ID{acme, bolt, stray}[m/8%3], ProjectID: project, Name: fmt.Sprint("n", n),
			State: cloud.InstanceStates[m%8], Source: sourceName(n),
		},
	}}})
}

func (d *daemon) putCluster(n, m int) {
	d.observe(engine.Batch{Source: sourceName(n), Clusters: []engine.Cluster{{
		ID: clusterKey(n % simClusters).ID,
		ClusterReport: cloud.ClusterReport{
			OrganizationID: acme, ProjectID: project, Type: cloud.ClusterSlurm, Source: sourceName(n), Down: m%2 == 0,
		},
	}}})
}

// fill puts a fleet that is too large to be lost at once.
func (d *daemon) fill(n int) {
	b := engine.Batch{Source: sourceName(n)}
	for i := simInstances; i < simInstances+simFleet; i++ {
		b.Instances = append(b.Instances, engine.Instance{ID: instanceKey(i).ID, InstanceReport: cloud.InstanceReport{
			OrganizationID: acme, ProjectID: project, Name: fmt.Sprint("f", n), State: cloud.InstanceRunning, Source: sourceName(n),
		}})
	}
	d.observe(b)
}

// clear buries all but a few of it.
func (d *daemon) clear(n int) {
	b := engine.Batch{Source: sourceName(n)}
	for i := simInstances + n%4; i < simInstances+simFleet; i++ {
		b.Gone = append(b.Gone, instanceKey(i))
	}
	d.observe(b)
}

func (s *simulation) operator() control.Operator {
	return s.control.As(cloud.Actor{Kind: cloud.ActorOperator})
}

// admit lets an organization use the region, or not.
func (s *simulation) admit(admitted bool) {
	if err := s.operator().AdmitOrganization(context.Background(), west, "bolt", admitted); err != nil {
		panic(err)
	}
}

// adopt makes the organization of which the region had objects already.
func (s *simulation) adopt() {
	s.mustWrite(func(w cloud.Writer) error {
		if _, err := w.Organization(stray); err == nil {
			return nil
		}
		return w.CreateOrganization(cloud.Organization{ID: stray, Name: "stray", CreatedAt: s.planeNow()})
	})
}

// accept removes what is missing, if anything is.
func (s *simulation) accept() {
	if _, err := s.operator().AcceptMissing(context.Background(), west); err != nil && cloud.CodeOf(err) != cloud.CodeConflict {
		panic(err)
	}
}

func (d *daemon) bury(key cloud.ObjectKey) {
	d.observe(engine.Batch{Source: sourceName(0), Gone: []cloud.ObjectKey{key}})
}

// act is what a tenant does: nothing but an entry of the audit, which waits for
// the next heartbeat.
func (d *daemon) act(n, m int) {
	e := cloud.AuditEntry{
		ID: d.newID(), At: d.wallClock().UTC().Truncate(time.Microsecond), OrganizationID: []cloud.ID{acme, bolt, stray}[m/8%3],
		Actor: cloud.Actor{Kind: cloud.ActorUser, ID: "ada"}, Action: "instance.stop", Target: fmt.Sprint(n),
	}
	d.truth.acts[e.ID] = e
	err := crashingRegion{d}.Write(context.Background(), func(w cloud.RegionWriter) error { return w.AppendAudit(e) })
	if err != nil && !errors.Is(err, errCrash) {
		panic(err)
	}
	d.reviveIfDead()
}

// prune forgets all tombstones, as a region does with those over its bound.
func (d *daemon) prune() {
	err := d.db.Write(context.Background(), func(w cloud.RegionWriter) error {
		floor, err := w.PruneTombstones(math.MaxInt64, d.wallClock().AddDate(1, 0, 0))
		if err != nil {
			return err
		}
		id, err := w.Identity()
		if err != nil {
			return err
		}
		id.Floor = max(id.Floor, floor)
		return w.SetIdentity(id)
	})
	if err != nil {
		panic(err)
	}
}

// play lets a history happen, and then the link be quiet: what is still under
// way arrives, nothing else goes wrong, and every source is heard. It returns
// what does not hold.
func (s *simulation) play(h history) error {
	defer s.end()
	for _, e := range h {
		s.trace("%v %v", s.now, e)
		s.happen(e)
		s.truth.check()
		if s.truth.failure != nil {
			return s.truth.failure
		}
	}
	s.trace("%v %s", s.now, "quiet")
	s.mishaps, s.cut, s.planeCrashIn = nil, false, 0
	for _, d := range s.daemons() {
		d.crashIn = 0
	}
	for len(s.late) > 0 {
		s.deliverLate(0)
	}
	var err error
	for end := s.now + quietTime; s.now < end; {
		for _, d := range s.daemons() {
			for n := range simSources {
				d.hear(n)
			}
		}
		s.pass(quietStep)
		if s.truth.failure != nil {
			return s.truth.failure
		}
		if s.region.over() && (s.rival == nil || s.rival.over()) {
			// A hello that was under way for long has fenced the one that was left,
			// and whoever finds that starts it again.
			s.region.restart(s.region.db)
		}
		if err = s.truth.settled(); err == nil {
			return nil
		}
	}
	return fmt.Errorf("after %v of quiet: %w", quietTime, err)
}

func (s *simulation) happen(e event) {
	for _, o := range operations {
		if o.name == e.name {
			o.happen(s, e.n, e.m)
		}
	}
}
