package sqlitetest

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
)

var (
	thePlane = sync.OnceValues(func() ([]byte, error) {
		return schemaOf(func(ctx context.Context, file string) (io.Closer, error) {
			return sqlite.OpenPlane(ctx, file)
		}, "DELETE FROM plane; DELETE FROM grant_stream")
	})
	theRegion = sync.OnceValues(func() ([]byte, error) {
		return schemaOf(func(ctx context.Context, file string) (io.Closer, error) {
			return sqlite.OpenRegion(ctx, file, func() cloud.ID { return "" })
		}, "DELETE FROM daemon; DELETE FROM identity")
	})
)

// Plane makes a file for [sqlite.OpenPlane], with the schema and nothing in it,
// and returns its path. A file that is there stays as it is.
func Plane(t testing.TB, file string) string {
	t.Helper()
	return place(t, file, thePlane)
}

// Region is Plane for [sqlite.OpenRegion].
func Region(t testing.TB, file string) string {
	t.Helper()
	return place(t, file, theRegion)
}

func place(t testing.TB, file string, prepared func() ([]byte, error)) string {
	t.Helper()
	database, err := prepared()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return file
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(database)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return file
}

// schemaOf is a database as the store makes it, without what it puts in at the
// start, which is each database's own.
func schemaOf(open func(context.Context, string) (io.Closer, error), empty string) (_ []byte, err error) {
	dir, err := os.MkdirTemp("", "sqlitetest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the system tidies up what is left
	ctx, file := context.Background(), filepath.Join(dir, "database")
	store, err := open(ctx, file)
	if err != nil {
		return nil, err
	}
	if err := store.Close(); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return nil, err
	}
	_, err = db.ExecContext(ctx, empty)
	if err := errors.Join(err, db.Close()); err != nil { // which leaves no log beside the file
		return nil, err
	}
	return os.ReadFile(file)
}
