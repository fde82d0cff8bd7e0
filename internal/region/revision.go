package region

import (
	"hash/maphash"
	"slices"
	"sync/atomic"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Revision names a state of a project and its machines, in this process. What
// was read after the revision was asked for is what there is for as long as the
// revision is the same. The zero Revision says nothing: what is read under it
// is not to be kept.
type Revision uint64

// revisionSlots bounds the memory that revisions take. Projects that share a
// slot have their revisions changed by each other, and no more.
const revisionSlots = 1 << 12

// revisions counts the changes to projects.
type revisions struct {
	seed  maphash.Seed
	slots [revisionSlots]revisionSlot
}

// revisionSlot counts how many changes began and how many ended. Between the two
// nobody can tell from outside what the database says.
type revisionSlot struct{ began, ended atomic.Uint64 }

func newRevisions() *revisions { return &revisions{seed: maphash.MakeSeed()} }

func (r *revisions) of(project cloud.ID) *revisionSlot {
	return &r.slots[maphash.String(r.seed, string(project))%revisionSlots]
}

// now is the revision; zero while a change is under way. What ended is read
// first: if as many began by the time that is read, none was under way when the
// first was.
func (s *revisionSlot) now() Revision {
	ended := s.ended.Load()
	if s.began.Load() != ended {
		return 0
	}
	return Revision(ended + 1)
}

// touched is which projects one change touches, in all runs of its transaction.
type touched []*revisionSlot

// begin is called before the project, or a machine in it, is changed.
func (t *touched) begin(s *revisionSlot) {
	if !slices.Contains(*t, s) {
		s.began.Add(1)
		*t = append(*t, s)
	}
}

// end is called when the transaction is over, whatever came of it.
func (t *touched) end() {
	for _, s := range *t {
		s.ended.Add(1)
	}
}

// revision is that of a project. It is zero where another process may change it.
func (r *Region) revision(project cloud.ID) Revision {
	if !r.alone || r.fenced.Load() {
		return 0
	}
	return r.revisions.of(project).now()
}

// These shadow what the store does, so that no change goes unnoticed.

// PutMachine implements cloud.RegionWriter.
func (c *change) PutMachine(m cloud.Machine) error {
	c.touch(m.ProjectID)
	return c.RegionWriter.PutMachine(m)
}

// DeleteMachine implements cloud.RegionWriter.
func (c *change) DeleteMachine(id cloud.ID) error {
	m, err := c.Machine(id)
	if err != nil {
		return err
	}
	c.touch(m.ProjectID)
	return c.RegionWriter.DeleteMachine(id)
}

// PutProject implements cloud.RegionWriter.
func (c *change) PutProject(p cloud.Project) error {
	c.touch(p.ID)
	return c.RegionWriter.PutProject(p)
}

// DeleteProject implements cloud.RegionWriter.
func (c *change) DeleteProject(id cloud.ID) error {
	c.touch(id)
	return c.RegionWriter.DeleteProject(id)
}

// SetHosts implements cloud.RegionWriter.
func (c *change) SetHosts(hosts []cloud.Host) error {
	c.rooms.forget()
	return c.RegionWriter.SetHosts(hosts)
}

func (c *change) touch(project cloud.ID) { c.touched.begin(c.revisions.of(project)) }
