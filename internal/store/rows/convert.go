package rows

import (
	"math"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// micros is how a time is stored: microseconds since 1970 UTC, 0 for none.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// instant reads what micros wrote.
func instant(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// fits refuses counters that no column can hold.
func fits(counters ...uint64) error {
	for _, n := range counters {
		if n > math.MaxInt64 {
			return cloud.Invalid("a seq, rev or epoch must be below 2^63; got %d", n)
		}
	}
	return nil
}

// rowLimit is a page's limit as SQL has it.
func rowLimit(limit int) int64 {
	if limit <= 0 {
		return math.MaxInt64
	}
	return int64(limit)
}

// each converts the rows of a query.
func each[R, T any](rows []R, err error, convert func(R) T) ([]T, error) {
	return try(rows, err, func(row R) (T, error) { return convert(row), nil })
}

// try converts the rows of a query, as far as they can be.
func try[R, T any](rows []R, err error, convert func(R) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	list := make([]T, len(rows))
	for i, row := range rows {
		if list[i], err = convert(row); err != nil {
			return nil, err
		}
	}
	return list, nil
}
