package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// What the checks find.
var (
	errDamaged = errors.New("the check of the whole file failed")
	errNoLog   = errors.New("the -wal file beside it, which has what was written last, is no write-ahead log")
)

// check has SQLite look through a whole database: by integrity_check, or by
// quick_check, which leaves out whether the indexes say the same as the tables.
func check(ctx context.Context, db *sql.DB, pragma string) error {
	var says string
	if err := db.QueryRowContext(ctx, "PRAGMA "+pragma+"(1)").Scan(&says); err != nil {
		return err
	}
	if says != "ok" {
		return fmt.Errorf("%w: %s", errDamaged, strings.Join(strings.Fields(says), " ")) // it likes several lines
	}
	return nil
}

// The header of a write-ahead log (https://sqlite.org/walformat.html, 1.2).
const (
	logHeader = 32
	logMagic  = 0x377f0682 // its last bit says in which byte order it is summed
	logSummed = 24         // bytes of it that its checksum is over
	logReads  = 3          // times that it is read before it is believed to be wrong
)

// checkLog refuses a write-ahead log with a header that SQLite did not write.
// SQLite takes such a log for an empty one, and so would silently forget what
// was acknowledged last. Zeros are what a power failure makes of a log that
// nothing was acknowledged from; and what is wrong beyond the header cannot be
// told from what one left of a transaction that was under way.
func checkLog(path string) error {
	var header [logHeader]byte
	for range logReads { // it may be read while another process begins it anew
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		_, err = io.ReadFull(f, header[:])
		_ = f.Close() // it was only read; and SQLite's locks are on other files
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil // nothing was ever committed to it
		}
		if err != nil {
			return err
		}
		if isLogHeader(header) || bytes.Equal(header[:], make([]byte, logHeader)) {
			return nil
		}
	}
	return errNoLog
}

func isLogHeader(h [logHeader]byte) bool {
	magic := binary.BigEndian.Uint32(h[:])
	if magic&^1 != logMagic {
		return false
	}
	var order binary.ByteOrder = binary.LittleEndian
	if magic&1 == 1 {
		order = binary.BigEndian
	}
	var s0, s1 uint32
	for i := 0; i < logSummed; i += 8 {
		s0 += order.Uint32(h[i:]) + s1
		s1 += order.Uint32(h[i+4:]) + s0
	}
	return s0 == binary.BigEndian.Uint32(h[logSummed:]) && s1 == binary.BigEndian.Uint32(h[logSummed+4:])
}
