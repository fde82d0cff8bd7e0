package migrations

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// Prepare returns what applies the steps to a database, and can be run again if
// it fails. It refuses a schema from the future.
func Prepare(ctx context.Context, dialect goose.Dialect, db *sql.DB, steps fs.FS) (apply func(context.Context) error, err error) {
	p, err := goose.NewProvider(dialect, db, steps,
		goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, err
	}
	current, known, err := p.GetVersions(ctx)
	if err != nil {
		return nil, err
	}
	if current > known {
		return nil, fmt.Errorf("a newer release wrote it (schema %d; this release knows up to %d); run that release, or restore a backup of this one", current, known)
	}
	return func(ctx context.Context) error {
		_, err := p.Up(ctx)
		return err
	}, nil
}
