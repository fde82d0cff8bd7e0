package postgres_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/migrations"
	"github.com/penstock-cloud/penstock/internal/store/postgres"
	"github.com/penstock-cloud/penstock/internal/store/postgres/pgtest"
)

func openRegion(t *testing.T, database string) (*postgres.Region, error) {
	return postgres.OpenRegion(t.Context(), database, func() cloud.ID { return "incarnation" }, silent)
}

// TestWrongDatabases opens what cannot be opened: each time there is one line
// that says what to do, and nothing has changed.
func TestWrongDatabases(t *testing.T) {
	t.Parallel()
	server := pgtest.NewServer(t)
	root := connect(t, server.SuperuserURL())
	execute(t, root, "CREATE ROLE lodger LOGIN PASSWORD 'hunter2'")
	lodger := func(t *testing.T, database string) string { return within(t, database, "postgres://lodger:hunter2@x") }
	later := fstest.MapFS{"0002_later.sql": {Data: []byte("-- +goose Up\nCREATE TABLE later (id BIGINT);\n")}}
	for name, c := range map[string]struct {
		prepare func(t *testing.T, database string) (opened string) // both are URLs
		says    []string
	}{
		"wrong password": {func(t *testing.T, database string) string {
			return edited(t, database, func(u *url.URL) { u.User = url.UserPassword(u.User.Username(), "hunter2") })
		}, []string{"does not let this role in", "password"}},
		"no such role": {func(t *testing.T, database string) string {
			return within(t, database, "postgres://nobody:hunter2@x")
		}, []string{"does not let this role in", "nobody"}},
		"no such database": {func(t *testing.T, database string) string {
			return edited(t, database, func(u *url.URL) { u.Path = "/nothing" })
		}, []string{"no such database", "CREATE DATABASE"}},
		"a role that may not connect": {func(t *testing.T, database string) string {
			execute(t, connect(t, database), "REVOKE CONNECT ON DATABASE "+strings.TrimPrefix(parsed(t, database).Path, "/")+" FROM PUBLIC")
			return lodger(t, database)
		}, []string{"lacks rights", "penstock admin migrate"}},
		"a role that may not create": {lodger, []string{"lacks rights", "penstock admin migrate"}},
		"a role that may not read": {func(t *testing.T, database string) string {
			open(t, database).Close()
			return lodger(t, database)
		}, []string{"lacks rights"}},
		"tables of something else": {func(t *testing.T, database string) string {
			execute(t, connect(t, database), "CREATE TABLE customers (name TEXT)")
			return database
		}, []string{"no database of ours", "a database of its own"}},
		"a region's": {func(t *testing.T, database string) string {
			r, err := openRegion(t, database)
			if err != nil {
				t.Fatal(err)
			}
			r.Close()
			return database
		}, []string{"a region's database, not a plane's"}},
		"from the future": {func(t *testing.T, database string) string {
			release(t, database, later).Close()
			return database
		}, []string{"a newer release wrote it (schema 2; this release knows up to 1)", "restore a backup"}},
		"no URL":              {func(*testing.T, string) string { return "postgres://penstock:hunter2@host:port/db" }, []string{"no URL of a PostgreSQL database"}},
		"too few connections": {func(_ *testing.T, database string) string { return database + "&pool_max_conns=3" }, []string{"at least 4; got 3"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := server.Database(t)
			opened := c.prepare(t, database)
			as := connect(t, within(t, database, server.SuperuserURL()))
			const everything = `SELECT coalesce(string_agg(concat_ws(' ', table_name, column_name, data_type, collation_name), '; ' ORDER BY table_name, column_name), '')
				FROM information_schema.columns WHERE table_schema = 'public'`
			before := query[string](t, as, everything)
			p, err := postgres.OpenPlane(t.Context(), opened, silent)
			if err == nil {
				p.Close()
			}
			oneLine(t, err, "hunter2", c.says...)
			if after := query[string](t, as, everything); after != before {
				t.Errorf("it was refused, and yet the database changed from %q to %q", before, after)
			}
			if n := query[int](t, as, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"); n > 0 {
				t.Error("a lock is left")
			}
		})
	}
}

// TestRoleThatOwnsNothing serves a database that another role migrates.
func TestRoleThatOwnsNothing(t *testing.T) {
	t.Parallel()
	server := pgtest.NewServer(t)
	database := server.Database(t)
	open(t, database)
	execute(t, connect(t, within(t, database, server.SuperuserURL())), "CREATE ROLE lodger LOGIN PASSWORD 'hunter2'",
		"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO lodger")
	p := open(t, within(t, database, "postgres://lodger:hunter2@x"))
	write(t, p, func(w cloud.Writer) error { return w.CreateRegion(cloud.Region{Name: "west-1"}) })
}

func parsed(t *testing.T, database string) *url.URL {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// withSteps are the migrations of this release and later ones.
func withSteps(t *testing.T, later fstest.MapFS) fs.FS {
	t.Helper()
	steps := maps.Clone(later)
	present := migrations.Plane()
	names, err := fs.Glob(present, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(present, name)
		if err != nil {
			t.Fatal(err)
		}
		steps[name] = &fstest.MapFile{Data: text}
	}
	return steps
}

// release opens a plane's database as a release with later steps does.
func release(t *testing.T, database string, later fstest.MapFS) *postgres.Plane {
	t.Helper()
	p, err := postgres.Released(t.Context(), database, withSteps(t, later))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestPlaneIsNoRegion(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	open(t, database)
	_, err := openRegion(t, database)
	oneLine(t, err, parsedPassword(t, database), "a plane's database, not a region's")
}

func parsedPassword(t *testing.T, database string) string {
	t.Helper()
	password, _ := parsed(t, database).User.Password()
	return password
}

// told is a log that tells of each line.
type told chan string

func (l told) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// TestServerThatComesBack starts a plane before its server: it says so, and goes
// on when the server is there.
func TestServerThatComesBack(t *testing.T) {
	t.Parallel()
	server := pgtest.NewServer(t)
	database := server.Database(t)
	server.Stop(t)
	log := make(told, 10_000)
	opened := make(chan error, 1)
	go func() {
		p, err := postgres.Hurried(t.Context(), database, time.Minute, slog.New(slog.NewTextHandler(log, nil)))
		if err == nil {
			err = p.Close()
		}
		opened <- err
	}()
	line := <-log
	if !strings.Contains(line, "the database cannot be reached") || strings.Contains(line, parsedPassword(t, database)) || strings.Count(line, "\n") != 1 {
		t.Errorf("the log says %q", line)
	}
	server.Start(t)
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

func TestServerThatStaysAway(t *testing.T) {
	t.Parallel()
	_, err := postgres.Hurried(t.Context(), "postgres://penstock:hunter2@127.0.0.1:1,127.0.0.1:2/plane", time.Millisecond, silent)
	oneLine(t, err, "hunter2", "open the plane database plane on 127.0.0.1", "no server was reached within 1ms")
}

// TestStartIsCanceled is Ctrl-C while the server is waited for, and while
// another process migrates. Nothing is left behind.
func TestStartIsCanceled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	log := make(told, 10_000)
	opened := make(chan error, 1)
	go func() {
		_, err := postgres.Hurried(ctx, "postgres://penstock@127.0.0.1:1/plane", time.Minute, slog.New(slog.NewTextHandler(log, nil)))
		opened <- err
	}()
	<-log
	cancel()
	canceled(t, <-opened)

	database := pgtest.Database(t)
	ctx, cancel = context.WithCancel(t.Context())
	other := connect(t, database)
	execute(t, other, "SELECT pg_advisory_lock("+migrationLock+")")
	ended := waiting(t, other, func() error {
		_, err := postgres.OpenPlane(ctx, database, silent)
		return err
	})
	cancel()
	canceled(t, <-ended)
	execute(t, other, "SELECT pg_advisory_unlock("+migrationLock+")")
	open(t, database)
}

func canceled(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got the error %v; want %v", err, context.Canceled)
	}
	oneLine(t, err, "", "context canceled")
	if strings.Contains(err.Error(), ";") || strings.Contains(err.Error(), "within") {
		t.Errorf("got %q; want to read of nothing but that", err)
	}
}

// TestOpenedByManyAtOnce starts processes on one new database together: one of
// them makes the schema. Fails without the advisory lock around migrations.
func TestOpenedByManyAtOnce(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	var starts sync.WaitGroup
	for range 6 {
		starts.Go(func() {
			p, err := postgres.OpenPlane(t.Context(), modest(t, database), silent)
			if err != nil {
				t.Error(err)
				return
			}
			p.Close()
		})
	}
	starts.Wait()
	c := connect(t, database)
	for table, want := range map[string]int{"penstock": 1, "plane": 1, "goose_db_version WHERE version_id > 0": 1} {
		if got := query[int](t, c, "SELECT count(*) FROM "+table); got != want {
			t.Errorf("%s has %d rows; want %d", table, got, want)
		}
	}
}

// TestMigrationsWaitForEachOther has another process migrate. Fails without the
// advisory lock.
func TestMigrationsWaitForEachOther(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	other := connect(t, database)
	execute(t, other, "SELECT pg_advisory_lock("+migrationLock+")")
	ended := waiting(t, other, func() error {
		p, err := postgres.OpenPlane(t.Context(), database, silent)
		if err == nil {
			err = p.Close()
		}
		return err
	})
	execute(t, other, "SELECT pg_advisory_unlock("+migrationLock+")")
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

var nextSteps = fstest.MapFS{"0002_next.sql": {Data: []byte(`-- +goose Up
ALTER TABLE regions ADD COLUMN note TEXT NOT NULL DEFAULT '';
ALTER TABLE links ADD COLUMN note TEXT NOT NULL DEFAULT '';
CREATE TABLE notes (text TEXT NOT NULL PRIMARY KEY);
`)}}

// TestMigrationIsRunAgain gives up a migration for a deadlock with what is
// served meanwhile. Fails, and so does the start, without the retry.
func TestMigrationIsRunAgain(t *testing.T) {
	t.Parallel()
	database, serving, _ := inhabited(t)
	watcher := connect(t, database)
	var migrated <-chan error
	write(t, serving, func(w cloud.Writer) error {
		if _, err := w.Link("west-1"); err != nil {
			return err
		}
		migrated = waiting(t, watcher, func() error {
			p, err := postgres.Released(t.Context(), database, withSteps(t, nextSteps))
			if err == nil {
				err = p.Close()
			}
			return err
		})
		return w.SetRegionURL("west-1", "https://west-1.example.com") // the one who has waited longer is given up
	})
	if err := <-migrated; err != nil {
		t.Error(err)
	}
}

// TestReleaseBeforeGoesOnServing has the next release migrate while this one
// serves, which goes on; only a start of it is refused from then on.
func TestReleaseBeforeGoesOnServing(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	serving := open(t, database)
	use := func(name string) error {
		err := serving.Write(t.Context(), func(w cloud.Writer) error {
			return w.CreateRegion(cloud.Region{Name: name})
		})
		if err != nil {
			return err
		}
		return serving.Read(t.Context(), func(r cloud.Reader) error {
			_, err := r.Region(name)
			return err
		})
	}
	migrated, used := make(chan struct{}), make(chan error, 1)
	began := make(chan struct{})
	go func() {
		defer close(used)
		close(began)
		for n := range 1_000_000 {
			select {
			case <-migrated:
				return
			default:
			}
			if err := use("region-" + time.Duration(n).String()); err != nil {
				used <- err
				return
			}
		}
	}()
	<-began
	next := release(t, database, nextSteps)
	close(migrated)
	if err := <-used; err != nil {
		t.Errorf("while the next release migrated: %v", err)
	}
	if err := use("afterwards"); err != nil {
		t.Errorf("after the next release has migrated: %v", err)
	}
	if err := next.Read(t.Context(), func(r cloud.Reader) error {
		_, err := r.Region("afterwards")
		return err
	}); err != nil {
		t.Errorf("the next release: %v", err)
	}
	_, err := postgres.OpenPlane(t.Context(), database, silent)
	oneLine(t, err, parsedPassword(t, database), "a newer release wrote it")
}

const inDatabasesOrder = `SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
	WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname NOT LIKE 'goose%'
	AND a.attnum > 0 AND a.atttypid = 'text'::regtype AND a.attcollation <> '"C"'::regcollation`

// TestInterruptedMigration ends a start between its steps and the order of
// bytes: the next start makes up for it. Fails if only who migrates collates.
func TestInterruptedMigration(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t)
	open(t, database).Close()
	c := connect(t, database)
	if n := query[int](t, c, inDatabasesOrder); n != 0 {
		t.Errorf("%d columns are in the order of a language", n)
	}
	execute(t, c, `ALTER TABLE regions ALTER COLUMN name TYPE TEXT COLLATE "default"`)
	open(t, database)
	if n := query[int](t, c, inDatabasesOrder); n != 0 {
		t.Errorf("%d columns are in the order of a language after the next start", n)
	}
}

// TestCommitsAreOnDisk has a database whose owner does not care, and one who
// cares more than we do.
func TestCommitsAreOnDisk(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{"off": "on", "local": "on", "remote_write": "remote_write", "on": "on", "remote_apply": "remote_apply"} {
		t.Run(given, func(t *testing.T) {
			t.Parallel()
			database := pgtest.Database(t)
			execute(t, connect(t, database), "ALTER DATABASE "+strings.TrimPrefix(parsed(t, database).Path, "/")+" SET synchronous_commit = "+given)
			got, err := open(t, database).Setting(t.Context(), "synchronous_commit")
			if err != nil || got != want {
				t.Errorf("got %q, %v; want %q", got, err, want)
			}
		})
	}
}
