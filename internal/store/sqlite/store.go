package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/migrations"
	"github.com/penstock-cloud/penstock/internal/store/sqlite/planedb"
)

// Plane is the global plane's store. It implements cloud.Store.
type Plane struct {
	db        *database[*planedb.Queries]
	standings *standingCache
}

var _ cloud.Store = (*Plane)(nil)

// reader implements cloud.Reader on one transaction.
type reader struct {
	ctx context.Context
	q   *planedb.Queries
}

// writer implements cloud.Writer on one transaction.
type writer struct{ reader }

// OpenPlane opens the plane's database at path, which it makes, for its owner
// alone, if there is none; the directory must exist. It fails, with a message
// for the operator, on a file that is something else or of a newer release.
func OpenPlane(ctx context.Context, path string) (*Plane, error) {
	db, err := openDatabase(ctx, path, planeSchema)
	if err != nil {
		return nil, err
	}
	return &Plane{db, newStandingCache()}, nil
}

var planeSchema = schema[*planedb.Queries]{
	name:          "plane",
	applicationID: 0x50534b50, // "PSKP"
	remedy:        "restore a backup with: penstock admin restore FILE",
	migrations:    migrations.Plane(),
	prepare: func(ctx context.Context, db *sql.DB) (*planedb.Queries, error) {
		return planedb.Prepare(ctx, db)
	},
	begin: func(ctx context.Context, q *planedb.Queries) error {
		var key [32]byte
		_, _ = rand.Read(key[:]) // never fails
		return q.CreatePlane(ctx, hex.EncodeToString(key[:]))
	},
}

// Read implements cloud.Store. fn must not call the store itself, since all its
// connections may be taken by others that do the same; nor in Write.
func (p *Plane) Read(ctx context.Context, fn func(cloud.Reader) error) error {
	return p.db.inRead(ctx, func(q *planedb.Queries) error { return fn(reader{ctx, q}) })
}

// Write implements cloud.Store.
func (p *Plane) Write(ctx context.Context, fn func(cloud.Writer) error) error {
	return p.db.inWrite(ctx, func(q *planedb.Queries) error { return fn(writer{reader{ctx, q}}) })
}

// Standing implements cloud.Store, by one prepared statement without a
// transaction around it, or from memory if nothing was committed since that
// was run last.
func (p *Plane) Standing(ctx context.Context, user cloud.ID) (cloud.Standing, error) {
	c, err := p.db.use(ctx)
	if err != nil {
		return cloud.Standing{}, err
	}
	return p.standings.read(c.index, user, func() (cloud.Standing, error) {
		// It takes microseconds, and watching a context takes as many again.
		rows, err := c.reading.GetStanding(context.WithoutCancel(ctx), string(user))
		if err != nil {
			return cloud.Standing{}, p.db.explain(c, err)
		}
		return standing(user, rows)
	})
}

// Backup implements cloud.Store.
func (p *Plane) Backup(ctx context.Context, file string) error { return p.db.backup(ctx, file) }

// Ping implements cloud.Store.
func (p *Plane) Ping(ctx context.Context) error { return p.db.ping(ctx) }

// Close implements cloud.Store.
func (p *Plane) Close() error { return p.db.close() }
