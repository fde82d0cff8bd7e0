package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/rows"
)

const (
	// attempts is how often something is run that others get in the way of.
	attempts = 8
	// rollbackPatience bounds giving up; a server that does not answer drops the
	// transaction with its connection.
	rollbackPatience = time.Second
)

var (
	reading = pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	writing = pgx.TxOptions{IsoLevel: pgx.ReadCommitted} // on a standby the first change says so
)

// transaction runs statements, within a bounded time.
type transaction func(ctx context.Context, tx rows.DB) error

func (d *database) inRead(ctx context.Context, fn transaction) error {
	return insist(func() error { return d.transact(ctx, reading, fn) })
}

func (d *database) inWrite(ctx context.Context, fn transaction) error {
	err := insist(func() error { return d.transact(ctx, writing, fn) })
	if state(err) == readOnlyTransaction {
		d.pool.Reset() // the primary became a standby; new connections find the new one
	}
	return err
}

// insist runs fn again while others get in its way. Even a read may be the one
// that is given up for a deadlock, while the next release changes the tables.
func insist(fn func() error) (err error) {
	for range attempts {
		if err = fn(); !passes(err) {
			break
		}
	}
	return err
}

// transact runs fn in a transaction, of which nothing remains if fn fails or
// panics, or if ctx ends before the commit.
func (d *database) transact(ctx context.Context, options pgx.TxOptions, fn transaction) error {
	within, cancel := context.WithTimeout(ctx, d.patience.use)
	defer cancel()
	tx, err := d.pool.BeginTx(within, options)
	if err != nil {
		return outcome(ctx, err)
	}
	defer rollback(within, tx)
	if err := fn(within, session{tx}); err != nil {
		return outcome(ctx, err)
	}
	return outcome(ctx, tx.Commit(within))
}

// rollback gives up what was not committed.
func rollback(ctx context.Context, tx pgx.Tx) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackPatience)
	defer cancel()
	_ = tx.Rollback(ctx) // after Commit there is nothing to roll back
}

// outcome is how a transaction failed. Where the caller gave up that is the
// reason, whatever the driver makes of it.
func outcome(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil && cloud.CodeOf(err) == "" {
		err = ctx.Err()
	}
	return translate(err)
}

// errStandby is that the server reached cannot be written to.
var errStandby = errors.New("the server that was reached is a standby, which takes no writes")

// ping asks for an answer of a server that takes writes.
func (d *database) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.patience.use)
	defer cancel()
	var standby bool
	if err := d.pool.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&standby); err != nil {
		return translate(err)
	}
	if standby {
		return cloud.Unavailable(fmt.Errorf("ping: %w", errStandby))
	}
	return nil
}
