package federation_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

// TestTheCopyConverges lets a region change while its messages get lost, are
// repeated, and come late; while daemons and plane crash at any point; while
// the region is restored from old backups and a copy of it speaks in its name.
// Once the link is quiet, the plane's copy equals the region's list.
func TestTheCopyConverges(t *testing.T) {
	t.Parallel()
	for _, seed := range []uint64{1, 2, 3, rand.Uint64()} {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			newChaos(newStand(t), seed).run(250)
		})
	}
}

// chaos is a plane, a region, and everything that can happen between them.
type chaos struct {
	*stand
	rnd    *rand.Rand
	region *daemon
	rival  *daemon // another daemon of the region, with its own copy of the database
	backup *site
	late   []func() // messages under way
	heard  time.Time
	calm   bool
}

func newChaos(s *stand, seed uint64) *chaos {
	c := &chaos{stand: s, rnd: rand.New(rand.NewPCG(seed, seed))}
	joined(c.stand, east) // whose copy nothing may touch
	c.region = &daemon{chaos: c, site: newSite(c.stand, west)}
	c.backup = c.region.site.clone() // of when it had nothing
	for n := range 20 {
		c.region.site.run(n, acme, cloud.InstanceRunning)
	}
	c.heard = c.clock()
	return c
}

func (c *chaos) run(steps int) {
	for range steps {
		c.happen()
		c.check()
		if c.t.Failed() {
			return
		}
	}
	// Quiet: what is still under way arrives or never does, nobody else speaks,
	// and the region has time to compare digests, and to confirm what is missing.
	c.rival = nil
	c.deliverLate(c.rnd.IntN(len(c.late) + 1))
	c.late, c.calm = nil, true
	for range 60 {
		c.pass(15 * time.Second)
		c.heard = c.clock()
		c.region.step()
		c.check()
	}
	c.same(c.region.site)
	if c.region.state != syncing {
		c.t.Errorf("the region is still %v", c.region.state)
	}
	if got := c.instanceHealth(); got != cloud.InstanceHealthy {
		c.t.Errorf("what was just heard is %s", got)
	}
	if got := len(c.stored(east, instanceKey(100), instanceKey(101), instanceKey(102), instanceKey(103), clusterKey(100))); got != 5 {
		c.t.Errorf("of the other region's 5 objects %d are left", got)
	}
}

// happen lets one thing happen.
func (c *chaos) happen() {
	switch n := c.rnd.IntN(100); {
	case n < 25:
		c.change(c.region.site)
	case n < 70:
		c.region.step()
	case n < 76:
		c.pass(time.Duration(c.rnd.Int64N(int64(4 * time.Minute))))
	case n < 82:
		c.heard = c.clock()
	case n < 86:
		c.deliverLate(1 + c.rnd.IntN(3))
	case n < 89:
		c.region.crash()
	case n < 91:
		c.backup = c.region.site.clone()
	case n < 93:
		*c.region.site = *c.backup.clone()
		c.region.crash()
	case n < 95:
		c.restartPlane(time.Duration(c.rnd.Int64N(int64(10 * time.Minute))))
	case n < 96:
		c.rival = &daemon{chaos: c, site: c.region.site.clone()}
	case c.rival != nil && c.rnd.IntN(2) == 0:
		c.change(c.rival.site)
	case c.rival != nil:
		c.rival.step()
	}
}

func (c *chaos) change(r *site) {
	switch n := c.rnd.IntN(20); {
	case n < 5:
		r.bury(instanceKey(n + 10*c.rnd.IntN(3)))
	case n < 7:
		r.bury(clusterKey(n - 5))
	case n < 9:
		r.set(clusterKey(n-7), cloud.ClusterReport{
			OrganizationID: acme, ProjectID: project, Type: cloud.ClusterSlurm, Source: "engine", Down: c.rnd.IntN(2) == 0,
		})
	default:
		r.run(c.rnd.IntN(30), []cloud.ID{acme, bolt}[c.rnd.IntN(2)], cloud.InstanceStates[c.rnd.IntN(len(cloud.InstanceStates))])
	}
}

// check holds the plane to what must be true at every moment.
func (c *chaos) check() {
	c.t.Helper()
	if l := c.link(west); l.Snapshot == nil {
		var digest cloud.Digest
		var missingSince time.Time
		for _, o := range c.stored(west, slices.Collect(maps.Keys(c.region.ever))...) {
			switch {
			case o.MissingSince.IsZero():
				digest.Add(o.Object)
			case missingSince.IsZero() || o.MissingSince.Before(missingSince):
				missingSince = o.MissingSince
			}
		}
		if !missingSince.Equal(l.MissingSince) {
			c.t.Errorf("objects are missing since %v, and the link says %v", missingSince, l.MissingSince)
		}
		if digest != l.Digest {
			c.t.Errorf("the copy has the digest %v, and the link says %v", digest, l.Digest)
		}
	}
	if silent := c.clock().Sub(c.heard); c.instanceHealth() == cloud.InstanceHealthy && silent > cloud.DefaultHealthPolicy.Instance.Stale {
		c.t.Errorf("an instance is healthy though nothing was heard of it for %v", silent)
	}
}

// instanceHealth is that of any running instance of the region.
func (c *chaos) instanceHealth() cloud.InstanceHealth {
	c.t.Helper()
	link := c.link(west)
	plane := read(c.stand, func(r cloud.Reader) (cloud.Plane, error) { return r.Plane() })
	clock := cloud.HealthClock{Now: c.clock(), Policy: cloud.DefaultHealthPolicy, Outages: plane.Outages}
	return clock.Instance(&link, cloud.Instance{InstanceReport: cloud.InstanceReport{State: cloud.InstanceRunning, Source: "engine"}}).Health
}

func (c *chaos) deliverLate(n int) {
	for range min(n, len(c.late)) {
		i := c.rnd.IntN(len(c.late))
		deliver := c.late[i]
		c.late = slices.Delete(c.late, i, i+1)
		deliver()
	}
}

var errLost = errors.New("no answer")

// carry lets a message meet its fate, and returns its answer.
func (c *chaos) carry(deliver func() error) error {
	send := func() error {
		if len(c.planes) > 1 {
			c.plane = c.planes[c.rnd.IntN(len(c.planes))]
		}
		return deliver()
	}
	if c.calm {
		return send()
	}
	switch n := c.rnd.IntN(20); {
	case n < 2:
		return errLost
	case n < 4:
		_ = send() // its answer goes lost
		return errLost
	case n < 5:
		c.late = append(c.late, func() { _ = send() })
		return errLost
	case n < 7:
		_ = send() // it comes twice
	}
	return send()
}

type daemonState string

const (
	connecting   daemonState = ""
	snapshotting daemonState = "snapshotting"
	syncing      daemonState = "syncing"
)

// daemon speaks for a region as simply as the protocol allows.
type daemon struct {
	*chaos
	*site
	state  daemonState
	frozen *site // the database as the snapshot shows it
	id     cloud.ID
	page   int
}

func (d *daemon) crash() { d.state, d.frozen, d.id = connecting, nil, "" }

// step sends one message, and takes its answer to heart.
func (d *daemon) step() {
	var err error
	switch d.state {
	case connecting:
		err = d.connect()
	case snapshotting:
		err = d.advance()
	case syncing:
		err = d.report()
	}
	switch cloud.CodeOf(err) {
	case cloud.CodeNotFound:
		d.frozen = nil // the snapshot was abandoned: begin another
	case cloud.CodeConflict:
		d.frozen = nil
		if d.state != snapshotting || d.site.epoch < d.link(west).Epoch {
			d.crash() // fenced; an operator starts it again
		}
	case cloud.CodeInvalid:
		d.crash()
	case "":
		if err == nil || errors.Is(err, errLost) {
			return // it is sent again
		}
		d.t.Errorf("the plane fails: %v", err)
	default:
		d.t.Errorf("the plane refuses with %v", err)
	}
}

func (d *daemon) connect() error {
	m, peer := d.helloMessage(), d.peer()
	var welcome wire.Welcome
	if err := d.carry(func() (err error) {
		welcome, err = d.plane.Hello(d.t.Context(), peer, m)
		return err
	}); err != nil {
		return err
	}
	d.epoch, d.nonce, d.applied = welcome.Epoch, welcome.Nonce, welcome.AppliedSeq
	switch welcome.Next {
	case wire.WelcomeNextRenew:
		d.incarnation = d.newID()
	case wire.WelcomeNextSnapshot:
		d.state, d.frozen = snapshotting, nil
	case wire.WelcomeNextResume:
		d.state = syncing
	}
	return nil
}

// advance sends the next message of a snapshot, or a heartbeat in between.
func (d *daemon) advance() error {
	const size = 4
	ctx, peer := d.t.Context(), d.peer()
	switch {
	case d.frozen == nil:
		m, frozen := d.beginMessage(), d.site.clone()
		var id cloud.ID
		if err := d.carry(func() (err error) {
			id, err = d.plane.BeginSnapshot(ctx, peer, m)
			return err
		}); err != nil {
			return err
		}
		d.frozen, d.id, d.page = frozen, id, 0
		return nil
	case d.rnd.IntN(5) == 0:
		return d.exchange(d.heartbeat())
	case d.page*size < len(d.frozen.objects):
		id, number, page := d.id, d.page, d.frozen.page(d.page, size)
		err := d.carry(func() error { return d.plane.PutPage(ctx, peer, id, number, page) })
		if err == nil {
			d.page++
		}
		return err
	default:
		id, m := d.id, wire.SnapshotCommit{Epoch: d.epoch, Digest: wireDigest(d.frozen.digest())}
		err := d.carry(func() error { return d.plane.CommitSnapshot(ctx, peer, id, m) })
		if err == nil {
			d.state, d.applied, d.frozen = syncing, d.frozen.seq, nil
		}
		return err
	}
}

// report sends the changes since what was applied, or a heartbeat.
func (d *daemon) report() error {
	m := d.heartbeat()
	if d.applied < d.seq {
		m = d.delta(d.applied)
	}
	if d.calm || d.rnd.IntN(10) == 0 {
		digest := wireDigest(d.digest())
		m.Digest = &digest
	}
	return d.exchange(m)
}

func (d *daemon) exchange(m wire.SyncRequest) error {
	// Rounded up, as an age is never told as less than it is.
	m.Sources[0].AgeMs = (d.clock().Sub(d.heard) + time.Millisecond - 1).Milliseconds()
	peer := d.peer()
	var answer wire.SyncAnswer
	err := d.carry(func() (err error) {
		answer, err = d.plane.Sync(d.t.Context(), peer, m)
		return err
	})
	if err != nil {
		return err
	}
	d.nonce = answer.Nonce
	if d.state == syncing {
		d.applied = answer.AppliedSeq
		if answer.Outcome == wire.SyncAnswerOutcomeResync {
			d.state, d.frozen = snapshotting, nil
		}
	}
	return nil
}
