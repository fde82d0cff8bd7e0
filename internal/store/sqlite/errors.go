package sqlite

import (
	"context"
	"errors"
	"fmt"

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

// advise adds to an error of the file's what an operator does about it; ok is
// false for other errors, which it leaves as they are.
func (d *database) advise(err error) (advised error, ok bool) {
	var advice string
	switch code := resultCode(err); {
	case isDamage(err):
		advice = "the file is damaged: " + d.schema.remedy
	case code == sqlite3.SQLITE_FULL:
		advice = "make room on its disk, and writing goes on by itself"
	case code == sqlite3.SQLITE_READONLY:
		advice = "let this user write to the file and its folder"
	case code == sqlite3.SQLITE_IOERR:
		advice = "the system refused to read or write it: see to the disk, its room and its permissions"
	default:
		return err, false
	}
	if e := (*sqlite.Error)(nil); errors.As(err, &e) {
		err = e // without what translate made of it for callers
	}
	return fmt.Errorf("%w; %s", err, advice), true
}

// isDamage reports whether the file is not what SQLite wrote.
func isDamage(err error) bool {
	code := resultCode(err)
	return code == sqlite3.SQLITE_CORRUPT || code == sqlite3.SQLITE_NOTADB || errors.Is(err, errDamaged) || errors.Is(err, errNoLog)
}
