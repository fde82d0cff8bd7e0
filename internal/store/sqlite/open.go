package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/migrations"
	"github.com/penstock-cloud/penstock/internal/store/rows"
)

const (
	// busyTimeout is how long one process waits for another one's transaction.
	busyTimeout = 5 * time.Second
	// readConnections bounds how many transactions read at once.
	readConnections = 8
	// lockRetry is the interval at which opening tries for the lock.
	lockRetry = 5 * time.Millisecond
)

// schema says what a database is for, and what belongs in it.
type schema struct {
	name          string // for messages
	applicationID int32  // in the file's header, so that no file is taken for another
	remedy        string // what to do with a damaged one
	migrations    fs.FS
	begin         func(context.Context, rows.DB) error // puts in what each database has from the start
}

// database is one file, and keeps up with what happens to it: while the file is
// away every use is CodeUnavailable, and when it is back, so is the database.
type database struct {
	path    string
	schema  schema
	opening sync.Mutex
	current atomic.Pointer[connections] // nil after Close
}

// connections are those to one incarnation of the file.
type connections struct {
	file, log   os.FileInfo // the database and its write-ahead log
	write, read *pool       // of one connection, and of up to readConnections
	kept        *sql.Conn   // one that never closes, so that the index stays the same file
	index       *walIndex
	group       group // of writes
}

// openDatabase opens the file, which it makes if there is none. Its directory
// must exist.
func openDatabase(ctx context.Context, path string, s schema) (*database, error) {
	_, _ = sqlite.Fdatasync(true) // as durable as fsync, without a write of the file's times; not on every system
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open the %s database: %w", s.name, err)
	}
	d := &database{path: path, schema: s}
	c, err := d.open(ctx, true)
	if err != nil {
		return nil, err
	}
	d.current.Store(c)
	return d, nil
}

// open connects to the file and brings its schema up to date, while no other
// process does.
func (d *database) open(ctx context.Context, create bool) (*connections, error) {
	lock := flock.New(d.path+".lock", flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, lockRetry); err != nil {
		return nil, fmt.Errorf("lock the %s database %s: %w", d.schema.name, d.path, err)
	}
	defer lock.Unlock() //nolint:errcheck // closing the file releases it in any case

	if create {
		if err := createFile(d.path); err != nil {
			return nil, fmt.Errorf("create the %s database: %w", d.schema.name, err)
		}
	}
	c := &connections{}
	if err := checkLog(d.path + "-wal"); err != nil {
		err, _ = d.advise(err)
		return nil, fmt.Errorf("open the %s database %s: %w", d.schema.name, d.path, err)
	}
	if err := d.connect(ctx, c, create); err != nil {
		_ = c.close() // it was never used
		err, _ = d.advise(err)
		return nil, fmt.Errorf("open the %s database %s: %w", d.schema.name, d.path, err)
	}
	return c, nil
}

// createFile makes an empty file for its owner alone unless there is one. It
// never opens an existing one, since closing it again would drop the locks
// that SQLite holds on it in this process.
func createFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

func (d *database) connect(ctx context.Context, c *connections, create bool) error {
	var err error
	if c.file, err = os.Stat(d.path); err != nil {
		return err
	}
	if c.read, err = connect(d.path, readConnections+1, "query_only(1)"); err != nil {
		return err
	}
	fresh, err := d.identify(ctx, c.read.DB)
	if err != nil {
		return err
	}
	if fresh && !create {
		return errEmpty
	}
	if c.write, err = connect(d.path, 1, "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
		"journal_size_limit(67108864)", "cache_size(-16384)"); err != nil {
		return err
	}
	if fresh {
		if _, err := c.write.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", d.schema.applicationID)); err != nil {
			return err
		}
	}
	if err := d.migrate(ctx, c.write.DB); err != nil {
		return err
	}
	if c.log, err = os.Stat(d.path + "-wal"); err != nil {
		return err
	}
	if c.kept, err = c.read.Conn(ctx); err != nil {
		return err
	}
	if c.index, err = openWALIndex(d.path + "-shm"); err != nil {
		return err
	}
	return transact(ctx, c.write, func(tx rows.DB) error { return d.schema.begin(ctx, tx) })
}

var errEmpty = errors.New("this is an empty file in the place of a database")

// connect makes a pool of connections. They open a file that exists, and never
// make one: an empty database in the place of one that is away would be worse
// than none.
func connect(path string, most int, pragmas ...string) (*pool, error) {
	query := url.Values{
		"mode":    {"rw"},
		"_txlock": {"deferred"},
		"_pragma": append([]string{fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds())}, pragmas...),
	}
	if most == 1 {
		query.Set("_txlock", "immediate")
	}
	name := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	return &pool{DB: db}, nil
}

// identify refuses a file that is not a database of this schema, and reports
// whether it is empty.
func (d *database) identify(ctx context.Context, db *sql.DB) (fresh bool, err error) {
	var id int32
	var tables int
	err = db.QueryRowContext(ctx, "SELECT application_id, (SELECT COUNT(*) FROM sqlite_master) FROM pragma_application_id").Scan(&id, &tables)
	switch {
	case resultCode(err) == sqlite3.SQLITE_NOTADB:
		return false, errors.New("this is not a SQLite database; name another file, or move this one away")
	case err != nil:
		return false, err
	case id == 0 && tables == 0:
		return true, nil
	case id != d.schema.applicationID:
		return false, fmt.Errorf("this is a SQLite database, but not a %s database of ours; name another file, or move this one away", d.schema.name)
	default:
		return false, nil
	}
}

// migrate brings the schema up to date, and refuses one from the future.
func (d *database) migrate(ctx context.Context, db *sql.DB) error {
	apply, err := migrations.Prepare(ctx, goose.DialectSQLite3, db, d.schema.migrations)
	if err != nil {
		return err
	}
	return apply(ctx)
}

// use returns the connections to the file as it is now.
func (d *database) use(ctx context.Context) (*connections, error) {
	for {
		c := d.current.Load()
		if c == nil {
			return nil, cloud.Unavailable(fmt.Errorf("the %s database %s is closed", d.schema.name, d.path))
		}
		same, err := isFile(d.path, c.file)
		if err != nil {
			return nil, cloud.Unavailable(err)
		}
		if same {
			return c, nil
		}
		if err := d.reopen(ctx, c); err != nil {
			return nil, cloud.Unavailable(err)
		}
	}
}

// isFile reports whether path still names the file.
func isFile(path string, file os.FileInfo) (bool, error) {
	info, err := os.Stat(path)
	return err == nil && os.SameFile(info, file), err
}

// reopen connects to the file that has taken the place of the one in use.
func (d *database) reopen(ctx context.Context, old *connections) error {
	d.opening.Lock()
	defer d.opening.Unlock()
	if d.current.Load() != old {
		return nil // somebody else was faster
	}
	// SQLite would play the old file's log into the new one.
	if stale, err := isFile(d.path+"-wal", old.log); err == nil && stale {
		return fmt.Errorf("the %s database %s was replaced, but the -wal file beside it is still the old one's; stop this process, put the right -wal file there or none, and start again", d.schema.name, d.path)
	}
	c, err := d.open(ctx, false)
	if err != nil {
		return err
	}
	d.current.Store(c)
	return old.close()
}

func (d *database) inRead(ctx context.Context, fn func(rows.DB) error) error {
	c, err := d.use(ctx)
	if err != nil {
		return err
	}
	return d.explain(c, transact(ctx, c.read, fn))
}

func (d *database) inWrite(ctx context.Context, fn func(rows.DB) error) error {
	return d.writeWith(ctx, func(c *connections) error { return transact(ctx, c.write, fn) })
}

// inGroup is inWrite, together with others who write just then. fn may run more
// than once.
func (d *database) inGroup(ctx context.Context, fn func(rows.DB) error) error {
	return d.writeWith(ctx, func(c *connections) error { return c.group.write(ctx, c.write, fn) })
}

func (d *database) writeWith(ctx context.Context, write func(*connections) error) error {
	c, err := d.use(ctx)
	if err != nil {
		return err
	}
	if err := write(c); err != nil {
		return d.explain(c, err)
	}
	// What went to a file that has been removed meanwhile is lost.
	if same, _ := isFile(d.path, c.file); !same {
		return cloud.Unavailable(fmt.Errorf("the %s database %s went away during a write", d.schema.name, d.path))
	}
	return nil
}

// transact runs fn in a transaction, of which nothing remains if fn fails or
// panics, or if ctx ends before the commit.
func transact(ctx context.Context, p *pool, fn func(rows.DB) error) error {
	tx, err := p.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	s := &session{pool: p, tx: tx}
	defer s.end()       //nolint:contextcheck // what it prepares outlives the caller
	defer tx.Rollback() //nolint:errcheck // after Commit there is nothing to roll back
	err = fn(s)
	if err == nil {
		err = tx.Commit()
	}
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
		return ctx.Err() // why it was rolled back under fn's hands
	}
	return err
}

// explain translates an error of a use of c.
func (d *database) explain(c *connections, err error) error {
	err = translate(err)
	if advised, ok := d.advise(err); ok {
		err = fmt.Errorf("the %s database %s: %w", d.schema.name, d.path, advised)
		if !isDamage(err) { // which does not pass
			err = cloud.Unavailable(err)
		}
	}
	if err != nil && cloud.CodeOf(err) == "" && d.current.Load() != c {
		return cloud.Unavailable(err) // closed under the hands of this use
	}
	return err
}

// ping reads the file's header.
func (d *database) ping(ctx context.Context) error {
	c, err := d.use(ctx)
	if err != nil {
		return err
	}
	var version int64
	return d.explain(c, c.read.QueryRowContext(ctx, "PRAGMA schema_version").Scan(&version))
}

// backup writes a copy of one consistent state to a file that does not exist.
func (d *database) backup(ctx context.Context, file string) error {
	c, err := d.use(ctx)
	if err != nil {
		return err
	}
	file, err = filepath.Abs(file) // which no URI looks like
	if err != nil {
		return fmt.Errorf("back up the %s database: %w", d.schema.name, err)
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return cloud.Conflict("the file %s exists; name one that does not", file)
	}
	if err != nil {
		return fmt.Errorf("back up the %s database: %w", d.schema.name, err)
	}
	defer f.Close()
	if err := d.copyTo(ctx, file); err != nil {
		return errors.Join(d.explain(c, err), os.Remove(file))
	}
	return f.Sync()
}

// copyTo fills an empty file, which so keeps its mode. A connection of its own
// is for that, since those that only read may not and the one that writes is
// wanted.
//
// It is also when the whole file is checked. At every start that would take
// longer than a start may, and at none of them the damage would come to light
// when the last good backup is gone.
func (d *database) copyTo(ctx context.Context, file string) error {
	db, err := connect(d.path, 1)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := check(ctx, db.DB, "quick_check"); err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", file)
	return err
}

// close ends the use of the database; what begins afterwards is CodeUnavailable.
func (d *database) close() error {
	d.opening.Lock()
	defer d.opening.Unlock()
	return d.current.Swap(nil).close()
}

func (c *connections) close() error {
	if c == nil {
		return nil
	}
	var errs []error
	if c.kept != nil {
		errs = append(errs, c.kept.Close())
	}
	for _, db := range []*pool{c.read, c.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if c.index != nil {
		c.index.closeIfGone()
	}
	return errors.Join(errs...)
}

// resultCode returns SQLite's primary result code, or 0 if err is not SQLite's.
func resultCode(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff
}
