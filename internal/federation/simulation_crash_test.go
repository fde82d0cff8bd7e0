package federation_test

import (
	"context"
	"errors"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// errCrash is what a dying process gets from its database, which does nothing
// for it any more.
var errCrash = errors.New("crashed")

// countdown is one statement less until the crash.
func countdown(in *int) (crash bool) {
	if *in == 0 {
		return false
	}
	*in--
	return *in == 0
}

// crashingStore is the plane's database as a process of it sees it, which may
// crash at any statement, before a commit and after it.
type crashingStore struct {
	cloud.Store
	s *simulation
}

func (c crashingStore) statement() error {
	if countdown(&c.s.planeCrashIn) {
		c.s.planeCrashed = true
	}
	if c.s.planeCrashed {
		return errCrash
	}
	return nil
}

func (c crashingStore) Write(ctx context.Context, fn func(cloud.Writer) error) error {
	err := c.Store.Write(ctx, func(w cloud.Writer) error {
		return errors.Join(fn(crashingWriter{w, c}), c.statement())
	})
	return errors.Join(err, c.statement())
}

type crashingWriter struct {
	cloud.Writer
	c crashingStore
}

// stated runs a statement, unless the process crashes before it.
func stated[T any](crash func() error, statement func() (T, error)) (T, error) {
	if err := crash(); err != nil {
		var none T
		return none, err
	}
	return statement()
}

// done is stated for statements that return nothing.
func done(crash, statement func() error) error {
	if err := crash(); err != nil {
		return err
	}
	return statement()
}

func (w crashingWriter) Plane() (cloud.Plane, error) { return stated(w.c.statement, w.Writer.Plane) }

func (w crashingWriter) Link(region string) (cloud.Link, error) {
	return stated(w.c.statement, func() (cloud.Link, error) {
		l, err := w.Writer.Link(region)
		return w.c.s.broken.forget(w.c.s.arriving, l), err
	})
}

func (w crashingWriter) StoredObjects(region string, keys []cloud.ObjectKey) (map[cloud.ObjectKey]cloud.StoredObject, error) {
	return stated(w.c.statement, func() (map[cloud.ObjectKey]cloud.StoredObject, error) {
		return w.Writer.StoredObjects(region, keys)
	})
}

func (w crashingWriter) Owners(keys []cloud.ObjectKey) (map[cloud.ObjectKey]string, error) {
	return stated(w.c.statement, func() (map[cloud.ObjectKey]string, error) { return w.Writer.Owners(keys) })
}

func (w crashingWriter) PutLink(l cloud.Link) error {
	return done(w.c.statement, func() error { return w.Writer.PutLink(l) })
}

func (w crashingWriter) AppendAudit(e cloud.AuditEntry) error {
	return done(w.c.statement, func() error { return w.Writer.AppendAudit(e) })
}

func (w crashingWriter) PutObjects(incarnation, snapshot cloud.ID, objects []cloud.StoredObject) error {
	return done(w.c.statement, func() error {
		err := w.Writer.PutObjects(incarnation, snapshot, objects)
		if err == nil && snapshot != "" && w.c.s.broken == guardCommit {
			_, err = w.Writer.DeleteUnseen(west, snapshot)
		}
		return err
	})
}

func (w crashingWriter) DeleteObjects(region string, keys []cloud.ObjectKey) error {
	return done(w.c.statement, func() error { return w.Writer.DeleteObjects(region, keys) })
}

func (w crashingWriter) DeleteUnseen(region string, snapshot cloud.ID) ([]cloud.ID, error) {
	return stated(w.c.statement, func() ([]cloud.ID, error) { return w.Writer.DeleteUnseen(region, snapshot) })
}

func (w crashingWriter) CountUnseen(region string, snapshot cloud.ID) (int64, error) {
	n, err := w.Writer.CountUnseen(region, snapshot)
	if w.c.s.broken == guardLoss {
		n = 0
	}
	return n, err
}

func (w crashingWriter) KnownOrganizations(ids []cloud.ID) (map[cloud.ID]bool, error) {
	known, err := w.Writer.KnownOrganizations(ids)
	if w.c.s.broken == guardGate {
		for _, id := range ids {
			known[id] = true
		}
	}
	return known, err
}

func (w crashingWriter) HoldUnseen(region string, snapshot cloud.ID, since time.Time) ([]cloud.ID, error) {
	return stated(w.c.statement, func() ([]cloud.ID, error) { return w.Writer.HoldUnseen(region, snapshot, since) })
}

func (w crashingWriter) DeleteMissing(region string, until time.Time) ([]cloud.ID, error) {
	return stated(w.c.statement, func() ([]cloud.ID, error) { return w.Writer.DeleteMissing(region, until) })
}

func (w crashingWriter) CountAside(region string) (cloud.Aside, error) {
	return stated(w.c.statement, func() (cloud.Aside, error) { return w.Writer.CountAside(region) })
}

func (w crashingWriter) TouchFleet(organizations []cloud.ID) error {
	return done(w.c.statement, func() error { return w.Writer.TouchFleet(organizations) })
}

func (w crashingWriter) TouchHealth() error { return done(w.c.statement, w.Writer.TouchHealth) }

// crashingRegion is the same for a region's database. It also returns fewer
// objects than it is asked for, so that a small region has a snapshot of many
// pages.
type crashingRegion struct{ d *daemon }

func (c crashingRegion) statement() error {
	if countdown(&c.d.crashIn) {
		c.d.dead = true
	}
	if c.d.dead {
		return errCrash
	}
	return nil
}

func (c crashingRegion) Read(ctx context.Context, fn func(cloud.RegionReader) error) error {
	return c.d.db.Read(ctx, func(r cloud.RegionReader) error { return fn(crashingRegionReader{r, c}) })
}

func (c crashingRegion) Write(ctx context.Context, fn func(cloud.RegionWriter) error) error {
	err := c.d.db.Write(ctx, func(w cloud.RegionWriter) error {
		return errors.Join(fn(crashingRegionWriter{w, crashingRegionReader{w, c}}), c.statement())
	})
	c.d.truth.note(c.d)
	return errors.Join(err, c.statement())
}

func (c crashingRegion) Ping(ctx context.Context) error { return c.d.db.Ping(ctx) }
func (c crashingRegion) Close() error                   { return nil }

type crashingRegionReader struct {
	cloud.RegionReader
	c crashingRegion
}

func (r crashingRegionReader) Identity() (cloud.RegionIdentity, error) {
	return stated(r.c.statement, r.RegionReader.Identity)
}

func (r crashingRegionReader) Object(key cloud.ObjectKey) (cloud.Object, error) {
	return stated(r.c.statement, func() (cloud.Object, error) { return r.RegionReader.Object(key) })
}

func (r crashingRegionReader) Objects(after cloud.ObjectKey, limit int) ([]cloud.Object, error) {
	return stated(r.c.statement, func() ([]cloud.Object, error) { return r.RegionReader.Objects(after, min(limit, pageSize)) })
}

func (r crashingRegionReader) Changes(after uint64, limit int) (objects []cloud.Object, tombstones []cloud.Tombstone, err error) {
	err = done(r.c.statement, func() error {
		objects, tombstones, err = r.RegionReader.Changes(after, limit)
		return err
	})
	return objects, tombstones, err
}

type crashingRegionWriter struct {
	cloud.RegionWriter
	r crashingRegionReader
}

func (w crashingRegionWriter) Identity() (cloud.RegionIdentity, error) { return w.r.Identity() }

func (w crashingRegionWriter) Object(key cloud.ObjectKey) (cloud.Object, error) {
	return w.r.Object(key)
}

func (w crashingRegionWriter) SetIdentity(id cloud.RegionIdentity) error {
	return done(w.r.c.statement, func() error { return w.RegionWriter.SetIdentity(id) })
}

func (w crashingRegionWriter) PutObject(o cloud.Object) error {
	return done(w.r.c.statement, func() error { return w.RegionWriter.PutObject(o) })
}

func (w crashingRegionWriter) BuryObject(t cloud.Tombstone, at time.Time) error {
	return done(w.r.c.statement, func() error { return w.RegionWriter.BuryObject(t, at) })
}

func (w crashingRegionWriter) PruneTombstones(upTo uint64, since time.Time) (uint64, error) {
	return stated(w.r.c.statement, func() (uint64, error) { return w.RegionWriter.PruneTombstones(upTo, since) })
}

func (w crashingRegionWriter) AppendAudit(e cloud.AuditEntry) error {
	return done(w.r.c.statement, func() error { return w.RegionWriter.AppendAudit(e) })
}

func (w crashingRegionWriter) SetAuditReported(seq uint64) error {
	return done(w.r.c.statement, func() error { return w.RegionWriter.SetAuditReported(seq) })
}

func (w crashingRegionWriter) BeginDaemon(holder cloud.ID) error {
	return done(w.r.c.statement, func() error { return w.RegionWriter.BeginDaemon(holder) })
}

func (w crashingRegionWriter) FenceDaemon(holder cloud.ID, at time.Time) error {
	return done(w.r.c.statement, func() error { return w.RegionWriter.FenceDaemon(holder, at) })
}
