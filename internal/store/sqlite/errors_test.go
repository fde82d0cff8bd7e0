package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/rows"
)

// TestTranslate provokes each sort of error, and checks what callers make of it.
func TestTranslate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		provoke func(ctx context.Context, db *sql.DB, path string) error
		want    cloud.Code
	}{
		"unique": {statements("INSERT INTO parents VALUES (1, 'a')", "INSERT INTO parents VALUES (2, 'a')"), cloud.CodeConflict},
		"primary key": {
			statements("INSERT INTO parents VALUES (1, 'a')", "INSERT INTO parents VALUES (1, 'b')"), cloud.CodeConflict,
		},
		"foreign key": {statements("INSERT INTO children VALUES (1)"), cloud.CodeNotFound},
		"not null":    {statements("INSERT INTO parents VALUES (1, NULL)"), ""},
		"check":       {statements("INSERT INTO parents VALUES (-1, 'a')"), ""},
		"syntax":      {statements("SELEC"), ""},
		"full": {
			statements("PRAGMA max_page_count = 10", "CREATE TABLE big (b BLOB)", "INSERT INTO big VALUES (zeroblob(1000000))"), cloud.CodeUnavailable,
		},
		"read-only": {statements("PRAGMA query_only = 1", "INSERT INTO parents VALUES (1, 'a')"), cloud.CodeUnavailable},
		"busy": {
			func(ctx context.Context, db *sql.DB, path string) error {
				other, err := sql.Open("sqlite", path)
				if err != nil {
					return err
				}
				defer other.Close()
				tx, err := other.BeginTx(ctx, nil)
				if err != nil {
					return err
				}
				defer tx.Rollback() // the transaction is only there to be in the way
				if _, err := tx.ExecContext(ctx, "INSERT INTO parents VALUES (1, 'a')"); err != nil {
					return err
				}
				return statements("PRAGMA busy_timeout = 0", "INSERT INTO parents VALUES (2, 'b')")(ctx, db, path)
			}, cloud.CodeUnavailable,
		},
		"cannot open": {
			func(ctx context.Context, _ *sql.DB, path string) error {
				db, err := connect(path+".missing", 1)
				if err != nil {
					return err
				}
				defer db.Close()
				return db.PingContext(ctx)
			}, cloud.CodeUnavailable,
		},
		"i/o": {
			func(ctx context.Context, _ *sql.DB, path string) error {
				// A database whose second page is beyond the end of its file.
				if err := os.WriteFile(path+".short", []byte("SQLite format 3\x00"), 0o600); err != nil {
					return err
				}
				db, err := connect(path+".short", 1)
				if err != nil {
					return err
				}
				defer db.Close()
				err = statements("SELECT * FROM sqlite_master")(ctx, db.DB, path)
				return fmt.Errorf("%w", err)
			}, "",
		},
		"deadline": {
			func(context.Context, *sql.DB, string) error {
				return fmt.Errorf("begin: %w", context.DeadlineExceeded)
			}, cloud.CodeUnavailable,
		},
		"canceled":     {func(context.Context, *sql.DB, string) error { return context.Canceled }, ""},
		"another":      {func(context.Context, *sql.DB, string) error { return errors.New("another") }, ""},
		"the domain's": {func(context.Context, *sql.DB, string) error { return cloud.Forbidden("no") }, cloud.CodeForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "test.db")
			db, err := sql.Open("sqlite", "file:"+path+"?_pragma=foreign_keys(1)&_pragma=journal_mode(WAL)")
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			db.SetMaxOpenConns(1)
			if err := statements(
				"CREATE TABLE parents (id BIGINT NOT NULL PRIMARY KEY CHECK (id > 0), name TEXT NOT NULL UNIQUE)",
				"CREATE TABLE children (parent BIGINT NOT NULL REFERENCES parents (id))",
			)(t.Context(), db, path); err != nil {
				t.Fatal(err)
			}
			cause := c.provoke(t.Context(), db, path)
			if cause == nil {
				t.Fatal("no error was provoked")
			}
			got := translate(cause)
			if cloud.CodeOf(got) != c.want {
				t.Errorf("%v became %v of code %q; want code %q", cause, got, cloud.CodeOf(got), c.want)
			}
			if c.want == cloud.CodeUnavailable && !errors.Is(got, cause) {
				t.Errorf("%v lost its cause", got)
			}
			if c.want != "" && strings.Contains(got.Error(), "SQL") {
				t.Errorf("the message %q tells of the database's insides", got)
			}
		})
	}
}

// statements runs each until one fails.
func statements(list ...string) func(context.Context, *sql.DB, string) error {
	return func(ctx context.Context, db *sql.DB, _ string) error {
		for _, statement := range list {
			if _, err := db.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	}
}

// The settings that durability and isolation rest on are in force on the
// connections that need them.
func TestSettings(t *testing.T) {
	t.Parallel()
	p, err := OpenPlane(t.Context(), filepath.Join(t.TempDir(), "plane.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c := p.db.current.Load()
	for name, want := range map[string][2]string{ // on the one that writes, on those that read
		"journal_mode":       {"wal", "wal"},
		"synchronous":        {"2", "2"},
		"foreign_keys":       {"1", "0"},
		"busy_timeout":       {"5000", "5000"},
		"query_only":         {"0", "1"},
		"journal_size_limit": {"67108864", "-1"},
	} {
		for i, db := range []*pool{c.write, c.read} {
			var got string
			if err := db.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&got); err != nil {
				t.Fatal(err)
			}
			if got != want[i] {
				t.Errorf("%s is %s on connection %d; want %s", name, got, i, want[i])
			}
		}
	}
	if _, err := c.read.ExecContext(t.Context(), "DELETE FROM users"); resultCode(err) == 0 {
		t.Errorf("a connection that reads could write: %v", err)
	}
	if n := c.write.Stats().MaxOpenConnections; n != 1 {
		t.Errorf("%d connections may write; want 1", n)
	}
}

// A use that has its connections closed under its hands is told to try again.
func TestClosedUnderAUse(t *testing.T) {
	t.Parallel()
	p, err := OpenPlane(t.Context(), filepath.Join(t.TempDir(), "plane.db"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.db.use(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = rows.Standing(t.Context(), &session{pool: c.read}, "nobody")
	if got := p.db.explain(c, err); cloud.CodeOf(got) != cloud.CodeUnavailable {
		t.Errorf("%v became %v; want %s", err, got, cloud.CodeUnavailable)
	}
}
