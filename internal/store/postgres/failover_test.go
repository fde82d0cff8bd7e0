package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/postgres/pgtest"
)

// openHasty opens a plane that is less patient than others.
func openHasty(t *testing.T, url string) *Plane {
	t.Helper()
	p, err := OpenPlane(t.Context(), url, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	p.db.patience.use = time.Second
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// keepIdle has the pool hold some connections that nobody uses.
func keepIdle(t *testing.T, p *Plane) {
	t.Helper()
	for range minConnections {
		conn, err := p.db.pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Release()
	}
}

func wantUnavailable(t *testing.T, what string, err error) {
	t.Helper()
	if cloud.CodeOf(err) != cloud.CodeUnavailable {
		t.Errorf("%s: got %v; want %s", what, err, cloud.CodeUnavailable)
	}
}

// A server that goes silent in the midst of a transaction is not waited for,
// though the caller would wait for ever; nor is it by any later request. Without
// bound it is by both: by the first for ever, where a statement has the caller's
// context, and by the others, where the pool is not reset.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(context.Context, *Plane, func()) error{
		"read": func(ctx context.Context, p *Plane, silence func()) error {
			return p.Read(ctx, func(tx cloud.Reader) error {
				silence()
				_, err := tx.Plane()
				return err
			})
		},
		"write": func(ctx context.Context, p *Plane, silence func()) error {
			return p.Write(ctx, func(tx cloud.Writer) error {
				silence()
				return tx.TouchHealth()
			})
		},
		"commit": func(ctx context.Context, p *Plane, silence func()) error {
			return p.Write(ctx, func(tx cloud.Writer) error {
				err := tx.TouchHealth()
				silence()
				return err
			})
		},
		"standing": func(ctx context.Context, p *Plane, silence func()) error {
			silence()
			_, err := p.Standing(ctx, "01a20ae9-b6b8-7360-bfba-a75f1086300e")
			return err
		},
		"ping": func(ctx context.Context, p *Plane, silence func()) error {
			silence()
			return p.Ping(ctx)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := pgtest.NewServer(t)
			p := openHasty(t, server.Database(t))
			keepIdle(t, p)
			wantUnavailable(t, name, use(context.WithoutCancel(t.Context()), p, func() { server.Freeze(t) }))
			if n := p.db.pool.Stat().IdleConns(); n != 0 {
				t.Errorf("%d connections to the silent server are kept", n)
			}
			server.Thaw(t)
			if err := p.Ping(t.Context()); err != nil {
				t.Errorf("after the silence: %v", err)
			}
		})
	}
}

// What was answered with 503, since no standby had it, is not acknowledged to
// the request's repetition either before one has: the failover would lose it.
// Without LockOutcome it is.
func TestOutcomeWaitsForTheStandby(t *testing.T) {
	t.Parallel()
	pair := pgtest.NewPair(t)
	p := openHasty(t, pair.URL())
	outcome := cloud.Outcome{Caller: "01a20ae9-b6b8-7360-bfba-a75f1086300e", Key: "k", Request: "r", Result: []byte("{}"), CreatedAt: time.Now()}
	find := func() error {
		return p.Write(t.Context(), func(tx cloud.Writer) error {
			_, err := tx.Outcome(outcome.Caller, outcome.Key, outcome.CreatedAt)
			return err
		})
	}
	save := func() error { // as a request does, which looks first
		return p.Write(t.Context(), func(tx cloud.Writer) error {
			if _, err := tx.Outcome(outcome.Caller, outcome.Key, outcome.CreatedAt); cloud.CodeOf(err) != cloud.CodeNotFound {
				return err
			}
			return tx.SaveOutcome(outcome)
		})
	}
	pair.Standby.Stop(t)
	wantUnavailable(t, "without the standby", save())
	err := find()
	for cloud.CodeOf(err) == cloud.CodeNotFound { // time was up before it came to commit
		wantUnavailable(t, "without the standby", save())
		err = find()
	}
	wantUnavailable(t, "repeated without the standby", err)
	pair.Standby.Start(t)
	for err := find(); err != nil; err = find() {
		wantUnavailable(t, "until the standby has it", err)
	}
}

// Of several hosts the one that takes writes is meant, also where the URL does
// not say so.
func TestStandbyIsPassedOver(t *testing.T) {
	t.Parallel()
	pair := pgtest.NewPair(t)
	primary, err := pgx.ParseConfig(pair.PrimaryURL())
	if err != nil {
		t.Fatal(err)
	}
	standby, err := pgx.ParseConfig(pair.StandbyURL())
	if err != nil {
		t.Fatal(err)
	}
	u := strings.Join([]string{
		"host=" + standby.Host + "," + primary.Host, fmt.Sprint("port=", standby.Port, ",", primary.Port),
		"user=" + primary.User, "password=" + primary.Password, "dbname=" + primary.Database, "sslmode=disable",
	}, " ")
	for err := errors.New("not asked yet"); err != nil; { // until the standby has the database too
		var c *pgx.Conn
		if c, err = pgx.Connect(t.Context(), pair.StandbyURL()); err == nil {
			err = c.Close(t.Context())
		}
	}
	if err := openHasty(t, u).Ping(t.Context()); err != nil {
		t.Error(err)
	}
}
