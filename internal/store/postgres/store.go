package postgres

import (
	"context"
	"log/slog"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/migrations"
	"github.com/penstock-cloud/penstock/internal/store/postgres/batchdb"
	"github.com/penstock-cloud/penstock/internal/store/rows"
)

// Plane is the global plane's store. It implements cloud.Store.
type Plane struct{ db *database }

var _ cloud.Store = (*Plane)(nil)

// OpenPlane opens the plane's database at a URL
// (https://www.postgresql.org/docs/current/libpq-connect.html, 34.1.1.2), and
// brings its schema up to date. A server that cannot be reached is tried again
// for half a minute, which is logged. Every other failure is final, and one
// line for the operator.
func OpenPlane(ctx context.Context, url string, log *slog.Logger) (*Plane, error) {
	db, err := openDatabase(ctx, url, planeSchema, usual, log)
	if err != nil {
		return nil, err
	}
	return &Plane{db}, nil
}

var planeSchema = schema{name: "plane", migrations: migrations.Plane(), begin: rows.CreatePlane}

// Read implements cloud.Store.
func (p *Plane) Read(ctx context.Context, fn func(cloud.Reader) error) error {
	return p.db.inRead(ctx, func(ctx context.Context, tx rows.DB) error { return fn(rows.NewReader(ctx, tx)) })
}

// Write implements cloud.Store.
func (p *Plane) Write(ctx context.Context, fn func(cloud.Writer) error) error {
	return p.db.inWrite(ctx, func(ctx context.Context, tx rows.DB) error { return fn(newWriter(ctx, tx)) })
}

// Standing implements cloud.Store.
func (p *Plane) Standing(ctx context.Context, user cloud.ID) (s cloud.Standing, err error) {
	ctx, done := p.db.bound(ctx, p.db.patience.use)
	defer done()
	err = insist(func() error {
		s, err = rows.Standing(ctx, session{p.db.pool}, user)
		return err
	})
	return s, err
}

// Backup implements cloud.Store by a refusal: PostgreSQL has tools for that,
// which know its roles and its log.
func (p *Plane) Backup(context.Context, string) error {
	return cloud.Invalid("a PostgreSQL database is backed up by its own tools, pg_dump or pg_basebackup; see docs/operations.md")
}

// Ping implements cloud.Store.
func (p *Plane) Ping(ctx context.Context) error { return p.db.ping(ctx) }

// Shared implements cloud.Store: other processes may serve this database too.
func (p *Plane) Shared() bool { return true }

// Close implements cloud.Store.
func (p *Plane) Close() error { return p.db.close() }

// Region is a region's store. It implements cloud.RegionStore.
type Region struct{ db *database }

var _ cloud.RegionStore = (*Region)(nil)

// OpenRegion opens a region's database as OpenPlane does the plane's.
// newIncarnation gives a new database its identity.
func OpenRegion(ctx context.Context, url string, newIncarnation func() cloud.ID, log *slog.Logger) (*Region, error) {
	db, err := openDatabase(ctx, url, schema{
		name: "region", migrations: migrations.Region(),
		begin: func(ctx context.Context, tx rows.DB) error { return rows.CreateIdentity(ctx, tx, newIncarnation()) },
	}, usual, log)
	if err != nil {
		return nil, err
	}
	return &Region{db}, nil
}

// Read implements cloud.RegionStore.
func (r *Region) Read(ctx context.Context, fn func(cloud.RegionReader) error) error {
	return r.db.inRead(ctx, func(ctx context.Context, tx rows.DB) error { return fn(rows.NewRegionReader(ctx, tx)) })
}

// Write implements cloud.RegionStore. Of two transactions one waits until the
// other is done, in whatever process, and then sees what it did.
func (r *Region) Write(ctx context.Context, fn func(cloud.RegionWriter) error) error {
	return r.db.inWrite(ctx, func(ctx context.Context, tx rows.DB) error {
		if err := batchdb.New(tx).LockName(ctx, "region"); err != nil {
			return err
		}
		return fn(rows.NewRegionWriter(ctx, tx))
	})
}

// Ping implements cloud.RegionStore.
func (r *Region) Ping(ctx context.Context) error { return r.db.ping(ctx) }

// Close implements cloud.RegionStore.
func (r *Region) Close() error { return r.db.close() }
