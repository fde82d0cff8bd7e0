package pgtest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/penstock-cloud/penstock/internal/store/postgres/pgtest"
)

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

func execute(t *testing.T, c *pgx.Conn, statement string) {
	t.Helper()
	if _, err := c.Exec(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func query[T any](t *testing.T, c *pgx.Conn, statement string) T {
	t.Helper()
	var value T
	if err := c.QueryRow(t.Context(), statement).Scan(&value); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return value
}

func TestDatabasesAreApart(t *testing.T) {
	t.Parallel()
	a, b := connect(t, pgtest.Database(t)), connect(t, pgtest.Database(t))
	execute(t, a, "CREATE TABLE things (name TEXT)")
	execute(t, b, "CREATE TABLE things (name TEXT)")
}

func TestOwnerIsNoSuperuser(t *testing.T) {
	t.Parallel()
	c := connect(t, pgtest.Database(t))
	if query[bool](t, c, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") {
		t.Error("the owner of a test's database is a superuser")
	}
}

func TestDatabaseIsDroppedInUse(t *testing.T) {
	t.Parallel()
	var url string
	t.Run("story", func(t *testing.T) {
		url = pgtest.Database(t)
		connect(t, url)
	})
	c, err := pgx.Connect(t.Context(), url)
	if err == nil {
		c.Close(t.Context())
	}
	const noSuchDatabase = "3D000"
	if !hasCode(err, noSuchDatabase) {
		t.Errorf("connecting after the test: %v", err)
	}
}

func TestPasswordCounts(t *testing.T) {
	t.Parallel()
	s := pgtest.NewServer(t)
	config, err := pgx.ParseConfig(s.SuperuserURL())
	if err != nil {
		t.Fatal(err)
	}
	config.Password = "wrong"
	_, err = pgx.ConnectConfig(t.Context(), config)
	const wrongPassword = "28P01"
	if !hasCode(err, wrongPassword) {
		t.Errorf("connecting with a wrong password: %v", err)
	}
}

func hasCode(err error, code string) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && answer.Code == code
}

func TestServerComesBack(t *testing.T) {
	t.Parallel()
	ends := map[string]func(*pgtest.Server, testing.TB){"stopped": (*pgtest.Server).Stop, "killed": (*pgtest.Server).Kill}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := pgtest.NewServer(t)
			url := s.Database(t)
			execute(t, connect(t, url), "CREATE TABLE things (name TEXT)")
			end(s, t)
			if c, err := pgx.Connect(t.Context(), url); err == nil {
				c.Close(t.Context())
				t.Error("a server that is gone takes connections")
			}
			s.Start(t)
			execute(t, connect(t, url), "INSERT INTO things VALUES ('kept')")
			s.Restart(t)
			if n := query[int](t, connect(t, url), "SELECT count(*) FROM things"); n != 1 {
				t.Errorf("%d rows are there again, want 1", n)
			}
		})
	}
}

func TestPromotedStandbyHasWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	p := pgtest.NewPair(t)
	c := connect(t, p.URL())
	execute(t, c, "CREATE TABLE things (name TEXT)")
	execute(t, c, "INSERT INTO things VALUES ('acknowledged')")
	p.KillPrimary(t)
	p.Promote(t)
	c = connect(t, p.URL())
	execute(t, c, "INSERT INTO things VALUES ('later')")
	if n := query[int](t, c, "SELECT count(*) FROM things"); n != 2 {
		t.Errorf("%d rows are there, want 2", n)
	}
}
