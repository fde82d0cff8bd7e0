package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/penstock-cloud/penstock/internal/store/migrations"
)

// migrationLock is the advisory lock that a process holds while it looks at the
// schema and brings it up to date.
const migrationLock = 0x50454e53544f434b // "PENSTOCK"

// migrate brings the schema up to date, and refuses one from the future and a
// database that is something else.
func (d *database) migrate(ctx context.Context, conn *pgxpool.Conn) error {
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(migrationLock)); err != nil {
		return err
	}
	defer func() {
		// If this fails the connection is broken, and the lock is gone with it.
		_, _ = conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", int64(migrationLock))
	}()
	if err := d.identify(ctx, conn.Conn()); err != nil {
		return err
	}
	db := stdlib.OpenDBFromPool(d.pool)
	defer db.Close()
	apply, err := migrations.Prepare(ctx, goose.DialectPostgres, db, d.schema.migrations)
	if err != nil {
		return err
	}
	return insist(func() error { // what serves meanwhile may hold tables in another order
		if err := apply(ctx); err != nil {
			return err
		}
		_, err := conn.Exec(ctx, collate) // also for a start before this one that did not come so far
		return err
	})
}

// identify refuses a database that is not of this schema, and marks a new one.
func (d *database) identify(ctx context.Context, conn *pgx.Conn) error {
	var tables int
	var marked bool
	if err := conn.QueryRow(ctx, `SELECT count(*), coalesce(bool_or(tablename = 'penstock'), false)
		FROM pg_tables WHERE schemaname = current_schema()`).Scan(&tables, &marked); err != nil {
		return err
	}
	if !marked {
		if tables > 0 {
			return errForeign
		}
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "CREATE TABLE penstock (holds TEXT NOT NULL)"); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "INSERT INTO penstock (holds) VALUES ($1)", d.schema.name)
			return err
		})
	}
	var holds string
	if err := conn.QueryRow(ctx, "SELECT holds FROM penstock").Scan(&holds); err != nil {
		return err
	}
	if holds != d.schema.name {
		return fmt.Errorf("it is a %s's database, not a %s's; give each a database of its own", holds, d.schema.name)
	}
	return nil
}

// collate has text compared byte by byte, as SQLite does, in whatever language
// the database was made: lists and the pages of them have one order everywhere.
const collate = `DO $$
DECLARE t record;
BEGIN
	FOR t IN
		SELECT c.relname, string_agg(format('ALTER COLUMN %I TYPE TEXT COLLATE "C"', a.attname), ', ') AS changes
		FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
		WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
			AND a.atttypid = 'text'::regtype AND a.attcollation <> '"C"'::regcollation
		GROUP BY c.relname
	LOOP
		EXECUTE format('ALTER TABLE %I %s', t.relname, t.changes);
	END LOOP;
END $$`
