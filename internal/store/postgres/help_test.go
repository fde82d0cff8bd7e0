package postgres_test

import (
	"context"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/postgres"
)

// silent is for logs that a test does not read.
var silent = slog.New(slog.DiscardHandler)

// open opens a plane's database, as often as it is called.
func open(t *testing.T, database string) *postgres.Plane {
	t.Helper()
	p, err := postgres.OpenPlane(t.Context(), database, silent)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func connect(t *testing.T, database string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.WithoutCancel(t.Context())) })
	return c
}

func execute(t *testing.T, c *pgx.Conn, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := c.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func query[T any](t *testing.T, c *pgx.Conn, statement string, args ...any) T {
	t.Helper()
	var value T
	if err := c.QueryRow(t.Context(), statement, args...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return value
}

// edited is a database's URL in which something is another.
func edited(t *testing.T, database string, edit func(*url.URL)) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	edit(u)
	return u.String()
}

// within is the same database for the role of another URL.
func within(t *testing.T, database, role string) string {
	t.Helper()
	r, err := url.Parse(role)
	if err != nil {
		t.Fatal(err)
	}
	return edited(t, database, func(u *url.URL) { u.User = r.User })
}

// modest is the same database for a store with few connections.
func modest(t *testing.T, database string) string {
	t.Helper()
	return edited(t, database, func(u *url.URL) {
		q := u.Query()
		q.Set("pool_max_conns", "4")
		u.RawQuery = q.Encode()
	})
}

// waiting runs fn in the background, which must come to wait for a lock in c's
// database, and returns what it ends with when it was let go.
func waiting(t *testing.T, c *pgx.Conn, fn func() error) (ended <-chan error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- fn() }()
	for query[int](t, c, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == 0 {
		select {
		case err := <-done:
			t.Fatalf("it did not wait, and ended with the error %v", err)
		default:
		}
	}
	return done
}

// held runs fn in a transaction that stays open until commit is called.
func held(t *testing.T, s cloud.Store, fn func(cloud.Writer) error) (commit func()) {
	t.Helper()
	began, ends, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- s.Write(t.Context(), func(w cloud.Writer) error {
			if err := fn(w); err != nil {
				return err
			}
			close(began)
			select {
			case <-ends:
			case <-t.Context().Done(): // the test has failed
			}
			return nil
		})
	}()
	select {
	case <-began:
	case err := <-ended:
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		close(ends)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
}

// write runs fn in a transaction that must succeed.
func write(t *testing.T, s cloud.Store, fn func(cloud.Writer) error) {
	t.Helper()
	if err := s.Write(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// oneLine checks what an operator gets to read.
func oneLine(t *testing.T, err error, password string, says ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("there is no error")
	}
	text := err.Error()
	if strings.ContainsAny(text, "\n\t") {
		t.Errorf("%q is not one line", text)
	}
	if password != "" && strings.Contains(text, password) {
		t.Errorf("%q has the password in it", text)
	}
	for _, s := range says {
		if !strings.Contains(text, s) {
			t.Errorf("got %q; want it to say %q", text, s)
		}
	}
}

var migrationLock = strconv.FormatInt(postgres.MigrationLock, 10)
