package postgres

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// SQLSTATEs that are told apart
// (https://www.postgresql.org/docs/current/errcodes-appendix.html).
const (
	uniqueViolation      = "23505"
	foreignKeyViolation  = "23503"
	readOnlyTransaction  = "25006"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	lockNotAvailable     = "55P03"
	insufficientRights   = "42501"
	noSuchDatabase       = "3D000"
)

// away are the classes of SQLSTATEs that say that the server cannot serve just
// now, whatever it is asked.
var away = map[string]bool{
	"08": true, // connection exceptions
	"28": true, // the role may not log in any more
	"53": true, // out of disk, memory or connections
	"57": true, // shut down, crashed, starting up; a statement canceled
	"58": true, // errors of the system beneath
	"3D": true, // no such database
}

// errClaimed is that another region's transaction has just claimed an id. The
// transaction sees it when it runs again.
var errClaimed = cloud.Conflict("this exists already")

// translate turns a driver's error into the domain's where a caller can do
// something about it, by SQLSTATE.
func translate(err error) error {
	var server *pgconn.PgError
	switch {
	case err == nil, cloud.CodeOf(err) != "", errors.Is(err, pgx.ErrNoRows):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return cloud.Unavailable(err)
	case errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &server):
		return translateState(server, err)
	case isConnection(err):
		return cloud.Unavailable(err)
	}
	return err
}

func translateState(server *pgconn.PgError, err error) error {
	switch server.Code {
	case uniqueViolation:
		if server.ConstraintName == "objects_shown" {
			return errClaimed
		}
		return cloud.Conflict("this exists already")
	case foreignKeyViolation:
		return cloud.NotFound("what this belongs to does not exist")
	case readOnlyTransaction, serializationFailure, deadlockDetected, lockNotAvailable, insufficientRights:
		return cloud.Unavailable(err)
	}
	if len(server.Code) == 5 && away[server.Code[:2]] {
		return cloud.Unavailable(err)
	}
	return err
}

// isConnection reports whether an error is of the way to the server.
func isConnection(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, puddle.ErrClosedPool)
}

// state is the SQLSTATE behind an error, "" if it is none of the server's.
func state(err error) string {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return server.Code
	}
	return ""
}

// passes reports whether what failed so may succeed when it is run again at
// once.
func passes(err error) bool {
	code := state(err)
	return code == serializationFailure || code == deadlockDetected || errors.Is(err, errClaimed)
}
