package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

const (
	// maxConnections bounds the pool unless the URL has pool_max_conns.
	maxConnections = 20
	// minConnections is what opening takes: one holds the lock, another migrates.
	minConnections = 4
	// connectTimeout bounds the way to one server unless the URL has
	// connect_timeout.
	connectTimeout = 3 * time.Second
)

// patience is how long a database waits for its server.
type patience struct {
	use   time.Duration // bounds one use: a silent server is not waited for by every request that there is
	start time.Duration // for the first connection
	pause time.Duration // between two tries at it
}

var usual = patience{use: 15 * time.Second, start: 30 * time.Second, pause: 2 * time.Second}

// schema says what a database is for, and what belongs in it.
type schema struct {
	name       string // for messages, and to tell databases apart
	migrations fs.FS
	begin      transaction // puts in what each database has from the start
}

// database is a pool of connections to one database, wherever its primary is.
type database struct {
	pool     *pgxpool.Pool
	schema   schema
	patience patience
}

func openDatabase(ctx context.Context, url string, s schema, p patience, log *slog.Logger) (*database, error) {
	config, err := configure(url)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	d := &database{pool: pool, schema: s, patience: p}
	if err := d.begin(ctx, log); err != nil {
		pool.Close()
		c := config.ConnConfig
		return nil, fmt.Errorf("open the %s database %s on %s as %s: %w", s.name, c.Database, c.Host, c.User, inOneLine{advise(err)})
	}
	return d, nil
}

// configure reads a URL, and puts in what it leaves open. Of several hosts the
// one that takes writes is meant: what a standby says may be old.
func configure(url string) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, cloud.Invalid("this is no URL of a PostgreSQL database; give one such as postgres://user@host:5432/database")
	}
	if !strings.Contains(url, "pool_max_conns") {
		config.MaxConns = maxConnections
	}
	if config.MaxConns < minConnections {
		return nil, cloud.Invalid("pool_max_conns must be at least %d; got %d", minConnections, config.MaxConns)
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = connectTimeout
	}
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "penstock"
	}
	if config.ConnConfig.ValidateConnect == nil { // target_session_attrs is not given, or "any"
		config.ConnConfig.ValidateConnect = refuseStandby
	}
	if config.PingTimeout == 0 {
		config.PingTimeout = connectTimeout
	}
	config.AfterConnect = insistOnDurability
	return config, nil
}

// refuseStandby has another host tried, where the URL names several.
func refuseStandby(ctx context.Context, conn *pgconn.PgConn) error {
	if err := pgconn.ValidateConnectTargetSessionAttrsReadWrite(ctx, conn); err != nil {
		return fmt.Errorf("%w (%w)", errStandby, err)
	}
	return nil
}

// insistOnDurability overrules a server or role that acknowledges a commit
// before it is on disk. With synchronous standbys "on" waits for those too.
func insistOnDurability(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local')")
	return err
}

// begin reaches the server, and brings the database up to date while no other
// process does.
func (d *database) begin(ctx context.Context, log *slog.Logger) error {
	conn, err := d.reach(ctx, log)
	if err != nil {
		return err
	}
	defer conn.Release()
	if err := d.migrate(ctx, conn); err != nil {
		return err
	}
	return d.inWrite(ctx, d.schema.begin)
}

// reach returns a first connection, for which it waits a while.
func (d *database) reach(ctx context.Context, log *slog.Logger) (*pgxpool.Conn, error) {
	within, cancel := context.WithTimeout(ctx, d.patience.start)
	defer cancel()
	var last error
	for {
		conn, err := d.pool.Acquire(within)
		if err == nil || isFinal(err) {
			return conn, err
		}
		if last == nil || within.Err() == nil { // else it says only that time is up
			last = inOneLine{err}
		}
		if ctx.Err() == nil {
			log.WarnContext(ctx, "the database cannot be reached; trying again for half a minute", "error", last)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-within.Done():
			return nil, fmt.Errorf("no server was reached within %v: %w", d.patience.start, last)
		case <-time.After(d.patience.pause):
		}
	}
}

// inOneLine is an error of pgx, which takes a line for each host that it tried.
type inOneLine struct{ error }

// Error implements error.
func (e inOneLine) Error() string {
	return strings.Join(strings.FieldsFunc(e.error.Error(), func(r rune) bool { return r == '\n' || r == '\t' }), "; ")
}

// Unwrap is for errors.As.
func (e inOneLine) Unwrap() error { return e.error }

// isFinal reports whether a server was reached, and its refusal will stay.
func isFinal(err error) bool {
	code := state(err)
	return code != "" && (code == noSuchDatabase || code == insufficientRights || strings.HasPrefix(code, "28"))
}

// advise says what to do about a start that failed.
func advise(err error) error {
	switch code := state(err); {
	case strings.HasPrefix(code, "28"):
		return fmt.Errorf("the server does not let this role in; check its name, its password and pg_hba.conf: %w", err)
	case code == noSuchDatabase:
		return fmt.Errorf("there is no such database; make it with CREATE DATABASE: %w", err)
	case code == insufficientRights:
		return fmt.Errorf("the role lacks rights; make it the database's owner, or run `penstock admin migrate` as one that is: %w", err)
	case errors.Is(err, errStandby):
		return fmt.Errorf("name the primary, or all hosts: %w", err)
	}
	return err
}

// close ends the use of the database; what begins afterwards is CodeUnavailable.
func (d *database) close() error {
	d.pool.Close()
	return nil
}

var errForeign = errors.New("it holds tables, but is no database of ours; give Penstock a database of its own")
