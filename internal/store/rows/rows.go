package rows

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
	"github.com/penstock-cloud/penstock/internal/store/regiondb"
)

// DB runs statements within one transaction, in the form in which sqlc's code
// wants it. Its errors are the domain's where a caller can do something about
// them, and pgx.ErrNoRows for the row that is not there.
type DB = planedb.DBTX

// Reader implements cloud.Reader.
type Reader struct {
	ctx context.Context
	q   *planedb.Queries
}

// Writer implements cloud.Writer.
type Writer struct{ Reader }

// RegionReader implements cloud.RegionReader.
type RegionReader struct {
	ctx context.Context
	q   *regiondb.Queries
}

// RegionWriter implements cloud.RegionWriter.
type RegionWriter struct {
	RegionReader
	tx DB
}

var (
	_ cloud.Writer       = Writer{}
	_ cloud.RegionWriter = RegionWriter{}
)

// NewReader returns the reader of a transaction of the plane.
func NewReader(ctx context.Context, tx DB) Reader { return Reader{ctx, planedb.New(tx)} }

// NewWriter returns the writer of a transaction of the plane.
func NewWriter(ctx context.Context, tx DB) Writer { return Writer{NewReader(ctx, tx)} }

// NewRegionReader returns the reader of a transaction of a region.
func NewRegionReader(ctx context.Context, tx DB) RegionReader {
	return RegionReader{ctx, regiondb.New(tx)}
}

// NewRegionWriter returns the writer of a transaction of a region.
func NewRegionWriter(ctx context.Context, tx DB) RegionWriter {
	return RegionWriter{NewRegionReader(ctx, tx), tx}
}

// whole runs fn, of which nothing remains if it fails; the transaction can go
// on. It is not for use within itself.
func (w RegionWriter) whole(fn func() error) error {
	if _, err := w.tx.Exec(w.ctx, "SAVEPOINT whole"); err != nil {
		return err
	}
	failure := fn()
	if failure != nil {
		if _, err := w.tx.Exec(w.ctx, "ROLLBACK TO SAVEPOINT whole"); err != nil {
			return err
		}
	}
	if _, err := w.tx.Exec(w.ctx, "RELEASE SAVEPOINT whole"); err != nil {
		return err
	}
	return failure
}

// CreatePlane puts in what a plane's database has from the start, unless it is
// there.
func CreatePlane(ctx context.Context, tx DB) error {
	q := planedb.New(tx)
	if err := q.CreateGrantStream(ctx); err != nil {
		return err
	}
	return q.CreatePlane(ctx, planedb.CreatePlaneParams{NonceKey: hexadecimal(cloud.DrawKey()), MailKey: hexadecimal(cloud.DrawKey())})
}

// CreateIdentity puts in what a region's database has from the start, unless
// it is there.
func CreateIdentity(ctx context.Context, tx DB, incarnation cloud.ID) error {
	q := regiondb.New(tx)
	if err := q.CreateDaemon(ctx); err != nil {
		return err
	}
	return q.CreateIdentity(ctx, regiondb.CreateIdentityParams{
		Incarnation: string(incarnation),
		DigestSum:   cloud.Digest{}.Hex(),
	})
}

// missing says what there is not, where a query for one row found none.
func missing(err error, format string, args ...any) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return cloud.NotFound(format, args...)
	}
	return err
}

// absent is refusal where a query for one row found none.
func absent(err, refusal error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return refusal
	}
	return err
}

// settled is the outcome of a statement that changes a row in one state of it
// only: absent where there is no such row, and otherwise why it was left.
func settled(rows int64, err, absent, otherwise error, exists func() (bool, error)) error {
	if err != nil || rows > 0 {
		return err
	}
	found, err := exists()
	if err != nil {
		return err
	}
	if !found {
		return absent
	}
	return otherwise
}

// changed is the outcome of a statement that should have changed a row: refusal
// says why it did not.
func changed(rows int64, err, refusal error) error {
	if err == nil && rows == 0 {
		return refusal
	}
	return err
}
