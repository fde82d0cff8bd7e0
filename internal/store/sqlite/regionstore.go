package sqlite

import (
	"context"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/migrations"
	"github.com/penstock-cloud/penstock/internal/store/rows"
)

// Region is a region's store. It implements cloud.RegionStore.
type Region struct{ db *database }

var _ cloud.RegionStore = (*Region)(nil)

// OpenRegion opens a region's database at path as OpenPlane does the plane's.
// newIncarnation gives a new database its identity.
func OpenRegion(ctx context.Context, path string, newIncarnation func() cloud.ID) (*Region, error) {
	db, err := openDatabase(ctx, path, schema{
		name:          "region",
		applicationID: 0x50534b52, // "PSKR"
		remedy:        "put a copy of it back, or move it away: then the region begins anew, without its projects and instances",
		migrations:    migrations.Region(),
		begin: func(ctx context.Context, tx rows.DB) error {
			return rows.CreateIdentity(ctx, tx, newIncarnation())
		},
	})
	if err != nil {
		return nil, err
	}
	return &Region{db}, nil
}

// Read implements cloud.RegionStore.
func (r *Region) Read(ctx context.Context, fn func(cloud.RegionReader) error) error {
	return r.db.inRead(ctx, func(tx rows.DB) error { return fn(rows.NewRegionReader(ctx, tx)) })
}

// Write implements cloud.RegionStore. Writes that wait for each other are
// committed together.
func (r *Region) Write(ctx context.Context, fn func(cloud.RegionWriter) error) error {
	return r.db.inGroup(ctx, func(tx rows.DB) error { return fn(rows.NewRegionWriter(ctx, tx)) })
}

// Ping implements cloud.RegionStore.
func (r *Region) Ping(ctx context.Context) error { return r.db.ping(ctx) }

// Close implements cloud.RegionStore.
func (r *Region) Close() error { return r.db.close() }
