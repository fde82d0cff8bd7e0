package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/postgres"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
)

// database is where a plane or a region keeps its data: a SQLite file, by its
// absolute path, or the URL of a PostgreSQL database.
type database string

// parseDatabase reads what a --database flag names. The URL of another kind
// must not become the name of a file.
func parseDatabase(text string) (database, error) {
	if isPostgres(text) {
		return database(text), nil
	}
	file, isSQLite := strings.CutPrefix(text, "sqlite:")
	if scheme, _, ok := strings.Cut(text, "://"); ok && !isSQLite {
		return "", fmt.Errorf("--database: %s databases are not supported; give a file, or postgres://USER@HOST/DATABASE", scheme)
	}
	path, err := filepath.Abs(strings.TrimPrefix(file, "//"))
	return database(path), err
}

func isPostgres(text string) bool {
	return strings.HasPrefix(text, "postgres://") || strings.HasPrefix(text, "postgresql://")
}

// file is the SQLite file; ok is false for PostgreSQL.
func (d database) file() (name string, ok bool) { return string(d), !isPostgres(string(d)) }

// String leaves a password out.
func (d database) String() string {
	name, isFile := d.file()
	if isFile {
		return name
	}
	u, err := url.Parse(name)
	if err != nil { // as one with several hosts may be
		return "PostgreSQL"
	}
	return u.Scheme + "://" + u.Host + u.Path
}

// LogValue implements slog.LogValuer.
func (d database) LogValue() slog.Value { return slog.StringValue(d.String()) }

// openPlane opens the plane's store. What the log says is of a server that is
// waited for.
func (d database) openPlane(ctx context.Context, log *slog.Logger) (cloud.Store, error) {
	if file, ok := d.file(); ok {
		return sqlite.OpenPlane(ctx, file)
	}
	return named(postgres.OpenPlane(ctx, string(d), log))
}

// openRegion opens a region's store.
func (d database) openRegion(ctx context.Context, log *slog.Logger) (cloud.RegionStore, error) {
	if file, ok := d.file(); ok {
		return sqlite.OpenRegion(ctx, file, newID)
	}
	return named(postgres.OpenRegion(ctx, string(d), newID, log))
}

// named names the flag by which the database was given.
func named[S any](store S, err error) (S, error) {
	if err != nil {
		return store, fmt.Errorf("--database: %w", err)
	}
	return store, nil
}

// existingDatabase is where an operator's command finds the plane's database.
// It never makes a file: a misspelt path would look like an empty cloud.
func existingDatabase(dir dataDir, text string) (database, error) {
	d, err := database(dir.planeDatabase()), dir.check()
	if text != "" {
		d, err = parseDatabase(text)
	}
	if err != nil {
		return "", err
	}
	if file, ok := d.file(); ok {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("there is no database at %s; name one with --data-dir or --database, or start the plane once", file)
		}
	}
	return d, nil
}

// holdDatabase finds the database of a server, in the folder or where the flag
// --database says, and holds it for this process until release is called. One
// on PostgreSQL is nobody's: any number of processes may serve it.
func holdDatabase(dir dataDir, text string, within func(dataDir) string) (d database, release func(), err error) {
	if text == "" {
		d = database(within(dir))
		release, err = holdFolder(dir, string(d))
		return d, release, err
	}
	if d, err = parseDatabase(text); err != nil {
		return "", nil, err
	}
	file, ok := d.file()
	if !ok {
		return d, func() {}, nil
	}
	release, err = hold("", file)
	return d, release, err
}
