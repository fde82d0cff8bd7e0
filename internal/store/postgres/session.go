package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/penstock-cloud/penstock/internal/store/rows"
)

// session runs statements with the domain's errors.
type session struct{ db rows.DB }

var _ rows.DB = session{}

// Exec implements rows.DB.
func (s session) Exec(ctx context.Context, text string, args ...any) (pgconn.CommandTag, error) {
	tag, err := s.db.Exec(ctx, text, args...)
	return tag, translate(err)
}

// Query implements rows.DB.
func (s session) Query(ctx context.Context, text string, args ...any) (pgx.Rows, error) {
	found, err := s.db.Query(ctx, text, args...)
	if err != nil {
		return nil, translate(err)
	}
	return cursor{found}, nil
}

// QueryRow implements rows.DB.
func (s session) QueryRow(ctx context.Context, text string, args ...any) pgx.Row {
	return row{s.db.QueryRow(ctx, text, args...)}
}

type cursor struct{ pgx.Rows }

// Scan implements pgx.Rows.
func (c cursor) Scan(dest ...any) error { return translate(c.Rows.Scan(dest...)) }

// Err implements pgx.Rows.
func (c cursor) Err() error { return translate(c.Rows.Err()) }

type row struct{ pgx.Row }

// Scan implements pgx.Row.
func (r row) Scan(dest ...any) error { return translate(r.Row.Scan(dest...)) }
