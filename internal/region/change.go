package region

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

const (
	// keepChanges and keepFor are how far back a plane may be and still be
	// brought up to date without a snapshot: so many changes, or so long,
	// whichever reaches further. Only deletions need to be kept for that, as
	// tombstones; what there is is found by its rev.
	keepChanges = 100_000
	keepFor     = time.Hour
	// pruneEvery is how many burials may pass before old tombstones are looked
	// for again.
	pruneEvery = 1000
)

// change is one transaction of a region. What it does to a machine is reported,
// and its usage recorded, in it. Every change of a reported object takes the
// next seq as its rev.
type change struct {
	cloud.RegionWriter
	at        time.Time
	newID     func() cloud.ID
	id        cloud.RegionIdentity
	dirty     bool // id differs from what is stored
	changes   int
	audited   bool // there is an entry to bring to the plane
	revisions *revisions
	touched   *touched
	rooms     *rooms
	alone     bool
	moved     *bool // what is taken of hosts, in any run
	buried    int
}

// change runs fn in a transaction, which may run it more than once. ErrFenced
// once the region is.
func (r *Region) change(ctx context.Context, fn func(*change) error) error {
	if r.fenced.Load() {
		return ErrFenced
	}
	prune := r.pruningDue()
	var c change
	var touched touched
	moved := false
	defer touched.end()
	err := r.store.Write(ctx, func(w cloud.RegionWriter) error {
		c = change{RegionWriter: w, at: r.now().UTC().Truncate(time.Microsecond), newID: r.newID, revisions: r.revisions, touched: &touched, rooms: &r.rooms, alone: r.alone, moved: &moved}
		var err error
		if c.id, err = w.Identity(); err != nil {
			return err
		}
		if moved { // the run before this one is undone
			r.rooms.forget()
		}
		if err := fn(&c); err != nil {
			return err
		}
		if prune {
			if err := c.prune(r.keep, c.at.Add(-keepFor)); err != nil {
				return err
			}
		}
		return c.commit()
	})
	if err != nil {
		if moved {
			r.rooms.forget()
		}
		return err
	}
	if prune {
		r.pruned()
	}
	r.noteBurials(c.buried)
	if c.changes > 0 || c.audited {
		r.announce()
	}
	return nil
}

func (r *Region) announce() {
	select {
	case r.changed <- struct{}{}:
	default: // the receiver has not yet taken note of an earlier change
	}
}

// put stores a machine, reports it, and records its usage.
func (c *change) put(m cloud.Machine) error {
	before, err := c.Machine(m.ID)
	if err != nil && cloud.CodeOf(err) != cloud.CodeNotFound {
		return err
	}
	if err := c.PutMachine(m); err != nil {
		return err
	}
	c.move(before, m)
	if err := c.meter(m, usageOf(before.State), usageOf(m.State)); err != nil {
		return err
	}
	o, err := encodeReport(cloud.KindInstance, m.ID, m.Report(), cloud.ParseInstanceReport)
	if err != nil {
		return err
	}
	return c.report(o)
}

// move notes what a machine has of the hosts now.
func (c *change) move(before, after cloud.Machine) {
	if moves(before, after) {
		*c.moved = true
		c.rooms.exchange(before, after)
	}
}

// remove deletes a machine, and ends its usage.
func (c *change) remove(m cloud.Machine) error {
	if err := c.endSpan(m.ID); err != nil {
		return err
	}
	if err := c.DeleteMachine(m.ID); err != nil {
		return err
	}
	c.move(m, cloud.Machine{})
	if err := c.CountInstances(m.OrganizationID, m.Type.Name, -1, 0); err != nil {
		return err
	}
	return c.bury(cloud.ObjectKey{Kind: cloud.KindInstance, ID: m.ID})
}

func (c *change) report(o cloud.Object) error {
	before, err := c.Object(o.ObjectKey)
	switch {
	case cloud.CodeOf(err) == cloud.CodeNotFound:
	case err != nil:
		return err
	case bytes.Equal(before.Body, o.Body):
		return nil
	default:
		c.id.Digest.Remove(before)
	}
	o.Rev = c.next()
	c.id.Digest.Add(o)
	return c.PutObject(o)
}

func (c *change) bury(key cloud.ObjectKey) error {
	before, err := c.Object(key)
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	c.id.Digest.Remove(before)
	c.buried++
	return c.BuryObject(cloud.Tombstone{ObjectKey: key, Rev: c.next()}, c.at)
}

func (c *change) next() uint64 {
	c.id.Seq++
	c.dirty = true
	c.changes++
	return c.id.Seq
}

// prune forgets the tombstones that are neither among the last changes nor
// since that time. A plane that is behind the floor needs a snapshot to learn
// what is gone. The wall clock decides about no more than that: the floor says
// what is kept, whatever the time.
func (c *change) prune(keep uint64, since time.Time) error {
	floor, err := c.PruneTombstones(c.id.Seq-min(c.id.Seq, keep), since)
	if floor > c.id.Floor {
		c.id.Floor = floor
		c.dirty = true
	}
	return err
}

func (c *change) commit() error {
	if !c.dirty {
		return nil
	}
	return c.SetIdentity(c.id)
}

func (r *Region) pruningDue() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.unpruned >= pruneEvery
}

func (r *Region) pruned() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unpruned = 0
}

func (r *Region) noteBurials(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unpruned += n
}

// machineOf reads a machine of a project; what is another's is not there.
func machineOf(r cloud.RegionReader, project, id cloud.ID) (cloud.Machine, error) {
	m, err := r.Machine(id)
	if err == nil && m.ProjectID != project {
		err = cloud.NotFound("")
	}
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		return m, cloud.NotFound("the project has no instance %s", id)
	}
	if err != nil {
		return m, fmt.Errorf("read an instance: %w", err)
	}
	return m, nil
}
