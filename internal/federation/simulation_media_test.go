package federation_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/memory"
	"github.com/penstock-cloud/penstock/internal/store/postgres"
	"github.com/penstock-cloud/penstock/internal/store/postgres/pgtest"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
	"github.com/penstock-cloud/penstock/internal/store/sqlite/sqlitetest"
)

// media is what the databases of a simulation are kept in.
type media interface {
	newPlane() cloud.Store
	newRegion(incarnation cloud.ID) cloud.RegionStore
	clonePlane(db cloud.Store) cloud.Store // nil where tests make no copies
	cloneRegion(db cloud.RegionStore) cloud.RegionStore
}

type inMemory struct{}

func (inMemory) newPlane() cloud.Store { return memory.NewPlane() }
func (inMemory) newRegion(incarnation cloud.ID) cloud.RegionStore {
	return memory.NewRegion(incarnation)
}

func (inMemory) clonePlane(db cloud.Store) cloud.Store { return db.(*memory.Plane).Clone() }

func (inMemory) cloneRegion(db cloud.RegionStore) cloud.RegionStore {
	return db.(*memory.Region).Clone()
}

// inSQLite keeps each database in a file. All are open until the test ends.
type inSQLite struct{ t *testing.T }

func (m inSQLite) file() string {
	return filepath.Join(must(os.MkdirTemp(m.t.TempDir(), "")), "database")
}

func (m inSQLite) newPlane() cloud.Store { return m.open(sqlitetest.Plane(m.t, m.file())) }

func (m inSQLite) open(file string) cloud.Store {
	db := must(sqlite.OpenPlane(m.t.Context(), file))
	m.t.Cleanup(func() { _ = db.Close() })
	return db
}

func (m inSQLite) newRegion(incarnation cloud.ID) cloud.RegionStore {
	db := must(sqlite.OpenRegion(m.t.Context(), sqlitetest.Region(m.t, m.file()), func() cloud.ID { return incarnation }))
	m.t.Cleanup(func() { _ = db.Close() })
	return db
}

func (m inSQLite) clonePlane(db cloud.Store) cloud.Store {
	file := m.file()
	if err := db.Backup(m.t.Context(), file); err != nil {
		panic(err)
	}
	return m.open(file)
}

func (m inSQLite) cloneRegion(db cloud.RegionStore) cloud.RegionStore {
	return copyRegion(db, m.newRegion("0195c0de-0000-7000-8000-000000000000"))
}

// inPostgreSQL keeps the plane in PostgreSQL, whose copies are its server's
// affair, and the region beside it.
type inPostgreSQL struct{ t *testing.T }

func (m inPostgreSQL) newPlane() cloud.Store {
	db := must(postgres.OpenPlane(m.t.Context(), pgtest.Database(m.t), discard))
	m.t.Cleanup(func() { _ = db.Close() })
	return db
}

// inReplicas is the same with two processes of the plane, to which messages go
// by turns, late and repeated ones too.
type inReplicas struct{ inPostgreSQL }

func (m inReplicas) newPlane() cloud.Store {
	_, stores := replicas(m.t, 4)
	return &byTurns{stores[0], stores}
}

// byTurns is a store of whose processes each writes every so many transactions.
// What else there is to a process of the plane it keeps in its store.
type byTurns struct {
	cloud.Store
	stores []cloud.Store
}

func (s *byTurns) Write(ctx context.Context, fn func(cloud.Writer) error) error {
	s.stores = append(s.stores[1:], s.stores[0])
	return s.stores[0].Write(ctx, fn)
}

func (m inPostgreSQL) newRegion(incarnation cloud.ID) cloud.RegionStore {
	db := must(postgres.OpenRegion(m.t.Context(), pgtest.Database(m.t), func() cloud.ID { return incarnation }, discard))
	m.t.Cleanup(func() { _ = db.Close() })
	return db
}

func (inPostgreSQL) clonePlane(cloud.Store) cloud.Store { return nil }

func (m inPostgreSQL) cloneRegion(db cloud.RegionStore) cloud.RegionStore {
	return copyRegion(db, m.newRegion("0195c0de-0000-7000-8000-000000000000"))
}

// copyRegion writes into an empty database what another one holds.
func copyRegion(from, to cloud.RegionStore) cloud.RegionStore {
	mustReadRegion(from, func(r cloud.RegionReader) error {
		id, err := r.Identity()
		if err != nil {
			return err
		}
		daemon, err := r.Daemon()
		if err != nil {
			return err
		}
		objects, tombstones, err := r.Changes(0, math.MaxInt32)
		if err != nil {
			return err
		}
		stream, err := r.AuditStream()
		if err != nil {
			return err
		}
		audit, err := r.AuditAfter(0, math.MaxInt32)
		if err != nil {
			return err
		}
		return to.Write(context.Background(), func(w cloud.RegionWriter) error {
			for _, t := range tombstones {
				if err := w.PutObject(cloud.Object{ObjectKey: t.ObjectKey, Rev: t.Rev}); err != nil {
					return err
				}
				if err := w.BuryObject(t, time.Time{}); err != nil {
					return err
				}
			}
			for _, o := range objects {
				if err := w.PutObject(o); err != nil {
					return err
				}
			}
			for _, e := range audit {
				if err := w.AppendAudit(e.AuditEntry); err != nil {
					return err
				}
			}
			if err := w.SetAuditReported(stream.Reported); err != nil {
				return err
			}
			if err := errors.Join(w.BeginDaemon(daemon.Holder), w.SetIdentity(id)); err != nil || daemon.FencedAt.IsZero() {
				return err
			}
			return w.FenceDaemon(daemon.Holder, daemon.FencedAt)
		})
	})
	return to
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
