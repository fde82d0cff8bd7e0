package sqlite

import (
	"context"
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// translate turns a driver's error into the domain's where a caller can do
// something about it, by SQLite's result code.
func translate(err error) error {
	var e *sqlite.Error
	switch {
	case err == nil || cloud.CodeOf(err) != "":
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return cloud.Unavailable(err)
	case !errors.As(err, &e):
		return err
	}
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return cloud.Conflict("this exists already")
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		return cloud.NotFound("what this belongs to does not exist")
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL,
		sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL,
		sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM:
		return cloud.Unavailable(err)
	}
	return err
}
