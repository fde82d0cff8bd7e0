package postgres

import (
	"context"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/penstock-cloud/penstock/internal/store/rows"
)

// MigrationLock is the advisory lock of whoever migrates.
const MigrationLock int64 = migrationLock

// Attempts is how often a transaction is run that others get in the way of.
const Attempts = attempts

// Hurried waits at a start for as long as given.
func Hurried(ctx context.Context, url string, start time.Duration, log *slog.Logger) (*Plane, error) {
	return open(ctx, url, planeSchema, patience{use: usual.use, start: start, pause: time.Millisecond}, log)
}

// Released opens a plane's database as a release with these migrations does.
func Released(ctx context.Context, url string, steps fs.FS) (*Plane, error) {
	s := planeSchema
	s.migrations = steps
	return open(ctx, url, s, usual, slog.New(slog.DiscardHandler))
}

func open(ctx context.Context, url string, s schema, p patience, log *slog.Logger) (*Plane, error) {
	db, err := openDatabase(ctx, url, s, p, log)
	if err != nil {
		return nil, err
	}
	return &Plane{db}, nil
}

// SetPatience bounds each use from now on.
func (p *Plane) SetPatience(use time.Duration) { p.db.patience.use = use }

// Connected is how often the pool has connected.
func (p *Plane) Connected() int64 { return p.db.pool.Stat().NewConnsCount() }

// Execute runs a statement in a transaction of the store's.
func (p *Plane) Execute(ctx context.Context, statement string) error {
	return p.db.inWrite(ctx, func(ctx context.Context, tx rows.DB) error {
		_, err := tx.Exec(ctx, statement)
		return err
	})
}

// Setting is what the server has set for a connection of the store's.
func (p *Plane) Setting(ctx context.Context, name string) (value string, err error) {
	err = p.db.pool.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&value)
	return value, err
}

// Demoted is a plane that was connected when its server became a standby: its
// database is neither identified nor migrated.
func Demoted(ctx context.Context, url string) (*Plane, error) {
	config, err := configure(url)
	if err != nil {
		return nil, err
	}
	config.ConnConfig.ValidateConnect = nil
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	return &Plane{&database{pool: pool, schema: planeSchema, patience: usual}}, nil
}

// Forget closes the connections that nobody uses.
func (p *Plane) Forget() { p.db.pool.Reset() }
