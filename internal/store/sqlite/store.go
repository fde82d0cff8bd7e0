package sqlite

import (
	"context"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/migrations"
	"github.com/penstock-cloud/penstock/internal/store/rows"
)

// Plane is the global plane's store. It implements cloud.Store.
type Plane struct {
	db        *database
	standings *standingCache
}

var _ cloud.Store = (*Plane)(nil)

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

var planeSchema = schema{
	name:          "plane",
	applicationID: 0x50534b50, // "PSKP"
	remedy:        "restore a backup with: penstock admin restore FILE",
	migrations:    migrations.Plane(),
	begin:         rows.CreatePlane,
}

// Read implements cloud.Store. fn must not call the store itself, since all its
// connections may be taken by others that do the same; nor in Write.
func (p *Plane) Read(ctx context.Context, fn func(cloud.Reader) error) error {
	return p.db.inRead(ctx, func(tx rows.DB) error { return fn(rows.NewReader(ctx, tx)) })
}

// Write implements cloud.Store.
func (p *Plane) Write(ctx context.Context, fn func(cloud.Writer) error) error {
	return p.db.inWrite(ctx, func(tx rows.DB) error { return fn(rows.NewWriter(ctx, tx)) })
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
		s, err := rows.Standing(context.WithoutCancel(ctx), &session{pool: c.read}, user)
		return s, p.db.explain(c, err)
	})
}

// Backup implements cloud.Store.
func (p *Plane) Backup(ctx context.Context, file string) error { return p.db.backup(ctx, file) }

// Ping implements cloud.Store.
func (p *Plane) Ping(ctx context.Context) error { return p.db.ping(ctx) }

// Shared implements cloud.Store: one process serves a file.
func (p *Plane) Shared() bool { return false }

// Close implements cloud.Store.
func (p *Plane) Close() error { return p.db.close() }
