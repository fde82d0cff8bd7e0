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
	// patience bounds one use of the database: a server that went silent is not
	// waited for by every request that there is.
	patience = 15 * time.Second
	// attempts is how often a transaction is run that others got in the way of.
	attempts = 8
	// rollbackPatience bounds giving up; a server that does not answer drops the
	// transaction with its connection.
	rollbackPatience = time.Second
)

var (
	reading = pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	writing = pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite}
)

func (d *database) inRead(ctx context.Context, fn func(rows.DB) error) error {
	return d.transact(ctx, reading, fn)
}

func (d *database) inWrite(ctx context.Context, fn func(rows.DB) error) (err error) {
	for range attempts {
		if err = d.transact(ctx, writing, fn); !passes(err) {
			break
		}
	}
	if state(err) == readOnlyTransaction {
		d.pool.Reset() // the primary became a standby; new connections find the new one
	}
	return err
}

// transact runs fn in a transaction, of which nothing remains if fn fails or
// panics, or if ctx ends before the commit.
func (d *database) transact(ctx context.Context, options pgx.TxOptions, fn func(rows.DB) error) error {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tx, err := d.pool.BeginTx(within, options)
	if err != nil {
		return outcome(ctx, err)
	}
	defer rollback(within, tx)
	if err := fn(session{tx}); err != nil {
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
		return ctx.Err()
	}
	return translate(err)
}

// errStandby is that the server reached cannot be written to.
var errStandby = errors.New("the server that was reached is a standby, which takes no writes")

// ping asks for an answer of a server that takes writes.
func (d *database) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
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
