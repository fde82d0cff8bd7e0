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
	// pingPatience is less than that of a use, since who asks whether the database
	// is there, such as a load balancer, does not wait long.
	pingPatience = 5 * time.Second
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

// transaction is what is done in one. The context bounds it, and is for all that
// it asks of the server.
type transaction func(context.Context, rows.DB) error

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

// bound is ctx for one use of the database. Where that took too long the server
// may be silent, and no other request is to find that out by itself: connections
// are made anew, to the server that answers. Call done at the end.
func (d *database) bound(ctx context.Context, patience time.Duration) (within context.Context, done func()) {
	within, cancel := context.WithTimeout(ctx, patience)
	return within, func() {
		if within.Err() != nil && ctx.Err() == nil {
			d.pool.Reset()
		}
		cancel()
	}
}

// transact runs fn in a transaction, of which nothing remains if fn fails or
// panics, or if ctx ends before the commit.
func (d *database) transact(ctx context.Context, options pgx.TxOptions, fn transaction) error {
	within, done := d.bound(ctx, d.patience.use)
	defer done()
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
	ctx, done := d.bound(ctx, min(pingPatience, d.patience.use))
	defer done()
	var standby bool
	if err := d.pool.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&standby); err != nil {
		return translate(err)
	}
	if standby {
		return cloud.Unavailable(fmt.Errorf("ping: %w", errStandby))
	}
	return nil
}
