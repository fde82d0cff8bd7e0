package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/postgres"
	"github.com/penstock-cloud/penstock/internal/store/postgres/pgtest"
)

// uses are all ways to use a plane's database.
func uses(ctx context.Context, p *postgres.Plane) map[string]func() error {
	return map[string]func() error{
		"Standing": func() error {
			_, err := p.Standing(ctx, ada)
			return err
		},
		"Read": func() error {
			return p.Read(ctx, func(r cloud.Reader) error {
				_, err := r.Plane()
				return err
			})
		},
		"Write": func() error { return p.Write(ctx, cloud.Writer.TouchHealth) },
		"Ping":  func() error { return p.Ping(ctx) },
	}
}

// TestServerThatAnswersNothing freezes a server, as a machine that lost its
// network. Whoever uses it gets 503 within a bound, more of them than there are
// connections, and those that begin to read too; when it is back it serves.
// Hangs without the bound.
func TestServerThatAnswersNothing(t *testing.T) {
	t.Parallel()
	server := pgtest.NewServer(t)
	database := server.Database(t)
	p := open(t, modest(t, database))
	write(t, p, func(w cloud.Writer) error {
		return w.CreateUser(cloud.User{ID: ada, Email: "ada@example.com", Kind: cloud.Person})
	})
	p.SetPatience(50 * time.Millisecond)
	server.Freeze(t)
	var all sync.WaitGroup
	for name, use := range uses(t.Context(), p) {
		for range 3 {
			all.Go(func() {
				if err := use(); cloud.CodeOf(err) != cloud.CodeUnavailable {
					t.Errorf("%s of a server that is silent: got the error %v; want %s", name, err, cloud.CodeUnavailable)
				}
			})
		}
	}
	all.Wait()
	server.Thaw(t)
	p.SetPatience(10 * time.Second)
	for name, use := range uses(t.Context(), p) {
		if err := use(); err != nil {
			t.Errorf("%s of a server that is back: %v", name, err)
		}
	}
}

// TestServerThatRestarts ends all connections under a store's hands.
func TestServerThatRestarts(t *testing.T) {
	t.Parallel()
	server := pgtest.NewServer(t)
	p := open(t, server.Database(t))
	write(t, p, func(w cloud.Writer) error {
		return w.CreateUser(cloud.User{ID: ada, Email: "ada@example.com", Kind: cloud.Person})
	})
	err := p.Write(t.Context(), func(w cloud.Writer) error {
		if err := w.TouchHealth(); err != nil {
			return err
		}
		server.Stop(t)
		return w.TouchHealth()
	})
	if cloud.CodeOf(err) != cloud.CodeUnavailable {
		t.Errorf("a write when the server stops: got the error %v; want %s", err, cloud.CodeUnavailable)
	}
	for name, use := range uses(t.Context(), p) {
		if err := use(); cloud.CodeOf(err) != cloud.CodeUnavailable {
			t.Errorf("%s of a server that is away: got the error %v; want %s", name, err, cloud.CodeUnavailable)
		}
	}
	server.Start(t)
	for name, use := range uses(t.Context(), p) {
		if err := use(); err != nil {
			t.Errorf("%s of a server that is back: %v", name, err)
		}
	}
	if err := p.Read(t.Context(), func(r cloud.Reader) error {
		plane, err := r.Plane()
		if plane.HealthRevision != 1 {
			t.Errorf("the health revision is %d; want 1, of the write after the restart alone", plane.HealthRevision)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// TestCallersGiveUp has callers leave while they wait for a lock. Each gets to
// know why, and the connections serve others.
func TestCallersGiveUp(t *testing.T) {
	t.Parallel()
	database, a, b := inhabited(t)
	commit := held(t, a, func(w cloud.Writer) error { return w.LockOrganization(acme) })
	lock := func(ctx context.Context) error {
		return b.Write(ctx, func(w cloud.Writer) error { return w.LockOrganization(acme) })
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := waiting(t, connect(t, database), func() error { return lock(ctx) })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) || cloud.CodeOf(err) != "" {
		t.Errorf("a caller who leaves: got the error %v; want %v", err, context.Canceled)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := lock(ctx); cloud.CodeOf(err) != cloud.CodeUnavailable {
		t.Errorf("a caller whose time is over: got the error %v; want %s", err, cloud.CodeUnavailable)
	}
	b.SetPatience(20 * time.Millisecond)
	if err := lock(t.Context()); cloud.CodeOf(err) != cloud.CodeUnavailable {
		t.Errorf("a caller who waits too long: got the error %v; want %s", err, cloud.CodeUnavailable)
	}
	commit()
	b.SetPatience(10 * time.Second)
	if err := lock(t.Context()); err != nil {
		t.Errorf("a caller after those: %v", err)
	}
}

// TestStandby uses a server that takes no writes, as after a switch-over: reads
// go on, writes get 503 and the plane is not ready, and when the server is
// promoted all is well without a restart.
func TestStandby(t *testing.T) {
	t.Parallel()
	pair := pgtest.NewPair(t)
	write(t, open(t, pair.PrimaryURL()), func(w cloud.Writer) error {
		return w.CreateUser(cloud.User{ID: ada, Email: "ada@example.com", Kind: cloud.Person})
	})
	_, err := postgres.Hurried(t.Context(), pair.StandbyURL(), time.Second, silent)
	oneLine(t, err, parsedPassword(t, pair.StandbyURL()), "takes no writes", "name the primary, or all hosts")

	p, err := postgres.Demoted(t.Context(), pair.StandbyURL())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for name, use := range uses(t.Context(), p) {
		err := use()
		if name == "Standing" || name == "Read" {
			if err != nil {
				t.Errorf("%s of a standby: %v", name, err)
			}
		} else if cloud.CodeOf(err) != cloud.CodeUnavailable {
			t.Errorf("%s of a standby: got the error %v; want %s", name, err, cloud.CodeUnavailable)
		}
	}
	before := p.Connected()
	if err := errors.Join(p.Write(t.Context(), cloud.Writer.TouchHealth), uses(t.Context(), p)["Read"]()); cloud.CodeOf(err) != cloud.CodeUnavailable {
		t.Errorf("got the error %v; want %s", err, cloud.CodeUnavailable)
	}
	if p.Connected() == before {
		t.Error("after a write that a standby refused its connections are kept; new ones would look for the primary")
	}
	pair.KillPrimary(t)
	pair.Promote(t)
	for name, use := range uses(t.Context(), p) {
		if err := use(); err != nil {
			t.Errorf("%s of the standby that was promoted: %v", name, err)
		}
	}
}

// TestErrorsByState has the server fail in every way that is told apart.
func TestErrorsByState(t *testing.T) {
	t.Parallel()
	p := open(t, pgtest.Database(t))
	for _, c := range []struct {
		what, state string
		want        cloud.Code
	}{
		{"unique_violation", "23505", cloud.CodeConflict},
		{"foreign_key_violation", "23503", cloud.CodeNotFound},
		{"connection_exception", "08000", cloud.CodeUnavailable},
		{"read_only_sql_transaction", "25006", cloud.CodeUnavailable},
		{"invalid_authorization_specification", "28000", cloud.CodeUnavailable},
		{"invalid_catalog_name", "3D000", cloud.CodeUnavailable},
		{"serialization_failure", "40001", cloud.CodeUnavailable},
		{"deadlock_detected", "40P01", cloud.CodeUnavailable},
		{"insufficient_privilege", "42501", cloud.CodeUnavailable},
		{"disk_full", "53100", cloud.CodeUnavailable},
		{"out_of_memory", "53200", cloud.CodeUnavailable},
		{"too_many_connections", "53300", cloud.CodeUnavailable},
		{"lock_not_available", "55P03", cloud.CodeUnavailable},
		{"query_canceled", "57014", cloud.CodeUnavailable},
		{"admin_shutdown", "57P01", cloud.CodeUnavailable},
		{"cannot_connect_now", "57P03", cloud.CodeUnavailable},
		{"io_error", "58030", cloud.CodeUnavailable},
		{"check_violation", "23514", ""},
		{"division_by_zero", "22012", ""},
		{"syntax_error", "42601", ""},
		{"internal_error", "XX000", ""},
		{"data_corrupted", "XX001", ""},
	} {
		if err := raise(t.Context(), p, c.state); err == nil || cloud.CodeOf(err) != c.want {
			t.Errorf("%s: got the error %v of code %q; want %q", c.what, err, cloud.CodeOf(err), c.want)
		}
	}
	if err := p.Execute(t.Context(), "SELECT pg_terminate_backend(pg_backend_pid())"); cloud.CodeOf(err) != cloud.CodeUnavailable {
		t.Errorf("a connection that is ended: got the error %v; want %s", err, cloud.CodeUnavailable)
	}
	if err := p.Ping(t.Context()); err != nil {
		t.Errorf("after all of that: %v", err)
	}
}

// TestConnectionsRunOut takes all that the server has.
func TestConnectionsRunOut(t *testing.T) {
	t.Parallel()
	server := pgtest.NewServer(t)
	database := server.Database(t)
	p := open(t, database)
	execute(t, connect(t, within(t, database, server.SuperuserURL())), fmt.Sprintf("ALTER ROLE %s CONNECTION LIMIT 0", parsed(t, database).User.Username()))
	p.Forget()
	for name, use := range uses(t.Context(), p) {
		if err := use(); cloud.CodeOf(err) != cloud.CodeUnavailable {
			t.Errorf("%s: got the error %v; want %s", name, err, cloud.CodeUnavailable)
		}
	}
}
