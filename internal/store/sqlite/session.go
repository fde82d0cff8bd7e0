package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/penstock-cloud/penstock/internal/store/rows"
)

// pool is connections with the statements that were prepared for them, by their
// text.
type pool struct {
	*sql.DB
	prepared sync.Map // of string to *sql.Stmt
}

// prepare returns the statement, prepared once for all who use it. It takes a
// connection, so nobody calls it who holds one.
func (p *pool) prepare(text string) (*sql.Stmt, error) {
	if s, ok := p.prepared.Load(text); ok {
		return s.(*sql.Stmt), nil //nolint:forcetypeassert // nothing else is in it
	}
	s, err := p.DB.PrepareContext(context.Background(), text) // it outlives every caller
	if err != nil {
		return nil, err
	}
	if first, raced := p.prepared.LoadOrStore(text, s); raced {
		_ = s.Close()                 // nobody has used it
		return first.(*sql.Stmt), nil //nolint:forcetypeassert // nothing else is in it
	}
	return s, nil
}

// session runs sqlc's statements, which know pgx, on database/sql: within a
// transaction, or each by itself where tx is nil. SQLite takes $1 as
// PostgreSQL does (https://sqlite.org/lang_expr.html#varparam).
type session struct {
	pool *pool
	tx   *sql.Tx
	met  []string // statements that the pool has yet to prepare
	// shared says that the transaction is of several writes: what interrupts one
	// of its statements would have SQLite give up all of them.
	shared bool
}

var _ rows.DB = (*session)(nil)

// end prepares for later transactions what this one, which is over, met first.
func (s *session) end() {
	for _, text := range s.met {
		_, _ = s.pool.prepare(text) // whoever runs it next finds out what is wrong
	}
}

func (s *session) statement(ctx context.Context, text string) (*sql.Stmt, error) {
	if s.tx == nil {
		return s.pool.prepare(text)
	}
	if stmt, ok := s.pool.prepared.Load(text); ok {
		return s.tx.StmtContext(ctx, stmt.(*sql.Stmt)), nil //nolint:forcetypeassert // nothing else is in it
	}
	s.met = append(s.met, text)
	return s.tx.PrepareContext(ctx, text)
}

// within is what bounds a statement.
func (s *session) within(ctx context.Context) context.Context {
	if s.shared {
		return context.WithoutCancel(ctx)
	}
	return ctx
}

// Exec implements rows.DB.
func (s *session) Exec(ctx context.Context, text string, args ...any) (pgconn.CommandTag, error) {
	ctx = s.within(ctx)
	stmt, err := s.statement(ctx, text)
	if err != nil {
		return pgconn.CommandTag{}, translate(err)
	}
	result, err := stmt.ExecContext(ctx, args...)
	if err != nil {
		return pgconn.CommandTag{}, translate(err)
	}
	n, err := result.RowsAffected()
	return pgconn.NewCommandTag("CHANGE " + strconv.FormatInt(n, 10)), translate(err)
}

// Query implements rows.DB.
func (s *session) Query(ctx context.Context, text string, args ...any) (pgx.Rows, error) {
	ctx = s.within(ctx)
	stmt, err := s.statement(ctx, text)
	if err != nil {
		return nil, translate(err)
	}
	found, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return nil, translate(err)
	}
	return cursor{found: found}, nil
}

// QueryRow implements rows.DB.
func (s *session) QueryRow(ctx context.Context, text string, args ...any) pgx.Row {
	ctx = s.within(ctx)
	stmt, err := s.statement(ctx, text)
	if err != nil {
		return row{err: err}
	}
	return row{found: stmt.QueryRowContext(ctx, args...)}
}

// cursor is the rows that a query found, as far as sqlc's code looks at them;
// the rest of the interface is not there.
type cursor struct {
	pgx.Rows
	found *sql.Rows
}

func (c cursor) Next() bool             { return c.found.Next() }
func (c cursor) Scan(dest ...any) error { return translate(c.found.Scan(dest...)) }
func (c cursor) Err() error             { return translate(c.found.Err()) }
func (c cursor) Close()                 { _ = c.found.Close() } // Err tells what was wrong

type row struct {
	found *sql.Row
	err   error
}

// Scan implements pgx.Row.
func (r row) Scan(dest ...any) error {
	if r.err != nil {
		return translate(r.err)
	}
	err := r.found.Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return pgx.ErrNoRows
	}
	return translate(err)
}
