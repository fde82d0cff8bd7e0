package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// RestorePlane puts a copy of a backup in the place of the plane's database at
// path, which no server may use meanwhile; prepare works on the copy before.
// The database that was there is kept under the name aside; kept tells whether
// there was one.
//
// Until the copy is checked, up to date, and on disk, nothing happens at path,
// and then it happens in one step: a crash leaves the one or the other.
func RestorePlane(ctx context.Context, backup, path, aside string, prepare func(*Plane) error) (kept bool, err error) {
	if err := checkBackup(backup, path); err != nil {
		return false, fmt.Errorf("restore %s: %w", backup, err)
	}
	dir := path + ".restoring"
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil { // of one that was interrupted
		return false, fmt.Errorf("restore %s: %w", backup, err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	copied := filepath.Join(dir, "plane.db")
	if err := copyFile(backup, copied); err != nil {
		return false, fmt.Errorf("restore %s: %w", backup, err)
	}
	if err := prepareCopy(ctx, copied, prepare); err != nil {
		return false, fmt.Errorf("restore %s: %w", backup, err)
	}
	kept, err = replace(ctx, path, copied, aside)
	if err != nil {
		return kept, fmt.Errorf("put the copy of %s in the place of %s: %w", backup, path, err)
	}
	return kept, nil
}

// checkBackup refuses what is no backup, but a database in use, whose newest
// part is not in the file.
func checkBackup(backup, path string) error {
	info, err := os.Stat(backup)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("this is not a file")
	}
	if same, _ := isFile(path, info); same {
		return errors.New("this is the database itself; name a backup of it")
	}
	if log, err := os.Stat(backup + "-wal"); err == nil && log.Size() > 0 {
		return fmt.Errorf("the -wal file beside it has a part of it; make a backup of it first, with: penstock admin --database %s backup FILE", backup)
	}
	return nil
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// prepareCopy checks a copy and brings it up to date, and leaves it on disk in
// one file.
func prepareCopy(ctx context.Context, file string, prepare func(*Plane) error) error {
	d := &database{path: file, schema: planeSchema}
	if err := d.checkCopy(ctx); err != nil {
		return err
	}
	c := &connections{}
	if err := d.connect(ctx, c, false); err != nil {
		return errors.Join(err, c.close())
	}
	d.current.Store(c)
	plane := &Plane{d, newStandingCache()}
	if err := errors.Join(prepare(plane), plane.Close()); err != nil {
		return err
	}
	if _, err := os.Stat(file + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the copy's log remains: %w", err) // SQLite failed to fold it in, and says so to nobody
	}
	return syncFile(file)
}

func (d *database) checkCopy(ctx context.Context) error {
	db, err := connect(d.path, 1)
	if err != nil {
		return err
	}
	defer db.Close()
	fresh, err := d.identify(ctx, db.DB)
	if err == nil && fresh {
		err = errEmpty
	}
	if err == nil {
		err = check(ctx, db.DB, "integrity_check")
	}
	if isDamage(err) {
		return fmt.Errorf("%w; it is damaged: name another backup", err)
	}
	return err
}

// replace puts the copy in the place of the database.
func replace(ctx context.Context, path, copied, aside string) (kept bool, err error) {
	lock := flock.New(path+".lock", flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, lockRetry); err != nil {
		return false, err
	}
	defer lock.Unlock() //nolint:errcheck // closing the file releases it in any case

	// The log belongs to the old database, and SQLite would play it into the
	// new one. If it can be, it is folded into the old one first; so it matters
	// only for one that is damaged if the power fails between here and the end.
	fold(ctx, path)
	for _, suffix := range []string{"", "-wal"} {
		switch err := os.Link(path+suffix, aside+suffix); {
		case err == nil:
			kept = true
		case !errors.Is(err, fs.ErrNotExist):
			return kept, fmt.Errorf("keep the old database: %w", err)
		}
	}
	if err := syncFile(filepath.Dir(path)); err != nil {
		return kept, err
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return kept, err
		}
	}
	if err := syncFile(filepath.Dir(path)); err != nil {
		return kept, err
	}
	if err := os.Rename(copied, path); err != nil {
		return kept, err
	}
	return kept, syncFile(filepath.Dir(path))
}

// fold puts the log of a database into its file if both are sound, as far as can
// be told. SQLite would throw away what is none.
func fold(ctx context.Context, path string) {
	if checkLog(path+"-wal") != nil {
		return
	}
	db, err := connect(path, 1)
	if err != nil {
		return
	}
	defer db.Close()
	_, _ = db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)") // else the log is kept as it is
}

// syncFile puts a file, or what a folder says of its files, on disk.
func syncFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
