package sqlite

import (
	"context"
	"database/sql"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/migrations"
	"github.com/penstock-cloud/penstock/internal/store/sqlite/regiondb"
)

// Region is a region's store. It implements cloud.RegionStore.
type Region struct{ db *database[*regiondb.Queries] }

var _ cloud.RegionStore = (*Region)(nil)

// regionReader implements cloud.RegionReader on one transaction.
type regionReader struct {
	ctx context.Context
	q   *regiondb.Queries
}

// regionWriter implements cloud.RegionWriter on one transaction.
type regionWriter struct{ regionReader }

// OpenRegion opens a region's database at path as OpenPlane does the plane's.
// newIncarnation gives a new database its identity.
func OpenRegion(ctx context.Context, path string, newIncarnation func() cloud.ID) (*Region, error) {
	db, err := openDatabase(ctx, path, schema[*regiondb.Queries]{
		name:          "region",
		applicationID: 0x50534b52, // "PSKR"
		remedy:        "move it away, and the region makes a new one of what its engine reports",
		migrations:    migrations.Region(),
		prepare: func(ctx context.Context, db *sql.DB) (*regiondb.Queries, error) {
			return regiondb.Prepare(ctx, db)
		},
		begin: func(ctx context.Context, q *regiondb.Queries) error {
			return q.CreateIdentity(ctx, regiondb.CreateIdentityParams{
				Incarnation: string(newIncarnation()),
				DigestSum:   cloud.Digest{}.Hex(),
			})
		},
	})
	if err != nil {
		return nil, err
	}
	return &Region{db}, nil
}

// Read implements cloud.RegionStore.
func (r *Region) Read(ctx context.Context, fn func(cloud.RegionReader) error) error {
	return r.db.inRead(ctx, func(q *regiondb.Queries) error { return fn(regionReader{ctx, q}) })
}

// Write implements cloud.RegionStore.
func (r *Region) Write(ctx context.Context, fn func(cloud.RegionWriter) error) error {
	return r.db.inWrite(ctx, func(q *regiondb.Queries) error { return fn(regionWriter{regionReader{ctx, q}}) })
}

// Ping implements cloud.RegionStore.
func (r *Region) Ping(ctx context.Context) error { return r.db.ping(ctx) }

// Close implements cloud.RegionStore.
func (r *Region) Close() error { return r.db.close() }
