package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
)

// backup makes a backup with one organization.
func backup(t *testing.T, organization string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "backup.db")
	p := open(t, filepath.Join(filepath.Dir(file), "source.db"))
	if err := errors.Join(create(t.Context(), p, organization), p.Backup(t.Context(), file), p.Close()); err != nil {
		t.Fatal(err)
	}
	return file
}

// A restore has what the backup had, and what prepare did; what was there is
// kept, whole: also what was only in the log of one that crashed, and what is
// damaged.
func TestRestore(t *testing.T) {
	t.Parallel()
	prepare := func(p *sqlite.Plane) error { return create(t.Context(), p, "prepared") }
	for name, c := range map[string]struct {
		before func(t *testing.T, path string)
		kept   string // the organization that what was there has; "" for nothing there
		broken bool   // it cannot be opened any more
	}{
		"nothing there":             {before: func(*testing.T, string) {}},
		"one that ended":            {before: func(t *testing.T, path string) { _ = open(t, path).Close() }, kept: "-"},
		"one that crashed":          {before: crashed, kept: "acme"},
		"one with a log of garbage": {before: func(t *testing.T, path string) { crashed(t, path); edit(t, path+"-wal", garbageLog) }, kept: "-", broken: true},
		"one that is garbage": {before: func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(strings.Repeat("garbage\n", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
		}, kept: "-", broken: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "plane.db")
			aside := path + ".aside"
			c.before(t, path)
			log, _ := os.ReadFile(path + "-wal")
			kept, err := sqlite.RestorePlane(t.Context(), backup(t, "saved"), path, aside, prepare)
			if err != nil || kept != (c.kept != "") {
				t.Fatalf("RestorePlane: got %v, %v", kept, err)
			}
			restored := open(t, path)
			for _, name := range []string{"saved", "prepared"} {
				if err := exists(t.Context(), restored, name); err != nil {
					t.Errorf("%s is not in what was restored: %v", name, err)
				}
			}
			if err := exists(t.Context(), restored, "acme"); cloud.CodeOf(err) != cloud.CodeNotFound {
				t.Errorf("what was there before: got %v; want it gone", err)
			}
			if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
				t.Errorf("got the mode %v, %v; want 0600", info.Mode(), err)
			}
			if _, err := os.Stat(path + ".restoring"); err == nil {
				t.Error("the folder of the copy was left")
			}
			switch {
			case c.broken:
				_, err := os.Stat(aside)
				asideLog, _ := os.ReadFile(aside + "-wal")
				if err != nil || string(asideLog) != string(log) {
					t.Errorf("what was broken is not kept as it was: %v", err)
				}
			case c.kept == "-":
				open(t, aside)
			case c.kept != "":
				if err := exists(t.Context(), open(t, aside), c.kept); err != nil {
					t.Errorf("what was kept: %v", err)
				}
			}
		})
	}
}

func garbageLog(log []byte) []byte { return append([]byte("garbage"), log[7:]...) }

// What cannot be restored changes nothing.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	fine := func(*sqlite.Plane) error { return nil }
	for name, c := range map[string]struct {
		spoil   func(t *testing.T, file string)
		prepare func(*sqlite.Plane) error
		says    string
	}{
		"no file":       {func(t *testing.T, file string) { os.Remove(file) }, fine, "no such file"},
		"a folder":      {func(t *testing.T, file string) { os.Remove(file); os.Mkdir(file, 0o700) }, fine, "not a file"},
		"an empty file": {func(t *testing.T, file string) { os.Truncate(file, 0) }, fine, "empty file"},
		"a text": {func(t *testing.T, file string) {
			edit(t, file, func([]byte) []byte { return []byte(strings.Repeat("text\n", 1000)) })
		}, fine, "not a SQLite database"},
		"somebody else's database": {
			func(t *testing.T, file string) { execute(t, file, "PRAGMA application_id = 42") }, fine, "not a plane database of ours",
		},
		"a newer release's": {
			func(t *testing.T, file string) {
				execute(t, file, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)")
			},
			fine, "a newer release wrote it (schema 9999",
		},
		"one with its end gone": {
			func(t *testing.T, file string) {
				edit(t, file, func(b []byte) []byte { return b[:len(b)/2/page*page] })
			}, fine, "name another backup",
		},
		"one with garbage in it": {func(t *testing.T, file string) { edit(t, file, garbage) }, fine, "name another backup"},
		"one with a log":         {crashed, fine, "make a backup of it first"},
		"one that cannot be prepared": {
			func(*testing.T, string) {}, func(*sqlite.Plane) error { return errors.New("no such luck") }, "no such luck",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := backup(t, "saved")
			c.spoil(t, file)
			path := filepath.Join(t.TempDir(), "plane.db")
			crashed(t, path)
			kept, err := sqlite.RestorePlane(t.Context(), file, path, path+".aside", c.prepare)
			if err == nil || kept || !strings.HasPrefix(err.Error(), "restore "+file+": ") || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, %v; want one line that says %q", kept, err, c.says)
			}
			if files, _ := filepath.Glob(path + ".*"); len(files) != 1 { // the lock
				t.Errorf("left behind: %v", files)
			}
			if err := exists(t.Context(), open(t, path), "acme"); err != nil {
				t.Errorf("what was there: %v", err)
			}
		})
	}
	t.Run("the database itself", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "plane.db")
		crashed(t, path)
		if _, err := sqlite.RestorePlane(t.Context(), path, path, path+".aside", fine); err == nil || !strings.Contains(err.Error(), "the database itself") {
			t.Errorf("got %v", err)
		}
	})
}
