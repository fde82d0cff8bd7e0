package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
)

// now is the present of all stories.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, path string) *sqlite.Plane {
	t.Helper()
	p, err := sqlite.OpenPlane(t.Context(), path)
	if err != nil {
		t.Fatalf("OpenPlane: %v", err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return p
}

// create makes an organization of that name, whose id is the name too.
func create(ctx context.Context, s cloud.Store, name string) error {
	return s.Write(ctx, func(w cloud.Writer) error {
		return w.CreateOrganization(cloud.Organization{ID: cloud.ID(name), Name: name, CreatedAt: now})
	})
}

func exists(ctx context.Context, s cloud.Store, name string) error {
	return s.Read(ctx, func(r cloud.Reader) error {
		_, err := r.Organization(cloud.ID(name))
		return err
	})
}

// execute runs SQL on a database file behind the back of the store.
func execute(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(t *testing.T, path string)
		says    string
	}{
		"a text": {
			func(t *testing.T, path string) {
				if err := os.WriteFile(path, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
					t.Fatal(err)
				}
			},
			"not a SQLite database",
		},
		"somebody else's database": {
			func(t *testing.T, path string) { execute(t, path, "CREATE TABLE songs (title TEXT)") },
			"not a plane database of ours",
		},
		"somebody else's application id": {
			func(t *testing.T, path string) { execute(t, path, "PRAGMA application_id = 42") },
			"not a plane database of ours",
		},
		"a region's database": {
			func(t *testing.T, path string) {
				r, err := sqlite.OpenRegion(t.Context(), path, func() cloud.ID { return "incarnation" })
				if err != nil {
					t.Fatal(err)
				}
				if err := r.Close(); err != nil {
					t.Fatal(err)
				}
			},
			"not a plane database of ours",
		},
		"a newer release's database": {
			func(t *testing.T, path string) {
				if err := open(t, path).Close(); err != nil {
					t.Fatal(err)
				}
				execute(t, path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)")
			},
			"a newer release wrote it (schema 9999; this release knows up to",
		},
		"a damaged database": {
			func(t *testing.T, path string) {
				if err := open(t, path).Close(); err != nil {
					t.Fatal(err)
				}
				content, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				copy(content[100:4000], strings.Repeat("damaged ", 1000)) // its table of tables
				if err := os.WriteFile(path, content, 0o600); err != nil {
					t.Fatal(err)
				}
			},
			"the file is damaged: restore a backup with: penstock admin restore FILE",
		},
		"a directory": {
			func(t *testing.T, path string) {
				if err := os.Mkdir(path, 0o700); err != nil {
					t.Fatal(err)
				}
			},
			"",
		},
		"a file in no directory": {
			func(t *testing.T, path string) {
				if err := os.Remove(filepath.Dir(path)); err != nil {
					t.Fatal(err)
				}
			},
			"no such file or directory",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "plane.db")
			c.prepare(t, path)
			before, _ := os.ReadFile(path)
			p, err := sqlite.OpenPlane(t.Context(), path)
			if err == nil {
				t.Fatal("it was opened", p.Close())
			}
			if !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the message is %q; want one that names %s and says %q", err, path, c.says)
			}
			if after, _ := os.ReadFile(path); string(before) != string(after) {
				t.Error("the file was changed")
			}
		})
	}
}

// A path may have characters that mean something in a URI.
func TestOpenOddPaths(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"plane.db", "with space", "what?mode=memory", "100%20", "a#b", "ünï"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), name)
			p := open(t, path)
			if err := create(t.Context(), p, "acme"); err != nil {
				t.Fatal(err)
			}
			if err := exists(t.Context(), open(t, path), "acme"); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(path); err != nil {
				t.Error(err)
			}
		})
	}
}

// Nobody but the owner may read any file that comes with a database.
func TestFileModes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := open(t, filepath.Join(dir, "plane.db"))
	r, err := sqlite.OpenRegion(t.Context(), filepath.Join(dir, "region.db"), func() cloud.ID { return "incarnation" })
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := create(t.Context(), p, "acme"); err != nil {
		t.Fatal(err)
	}
	if err := p.Backup(t.Context(), filepath.Join(dir, "backup.db")); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 2*len([]string{"db", "-wal", "-shm", ".lock"})+len([]string{"backup"}) {
		t.Errorf("there are %v; want two databases of four files each, and the backup", files)
	}
	for _, file := range files {
		info, err := file.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != 0o600 {
			t.Errorf("%s has the mode %v; want 0600", file.Name(), info.Mode())
		}
	}
}

// TestAway moves the database about under a plane in use.
func TestAway(t *testing.T) {
	t.Parallel()
	move := func(t *testing.T, from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	// restored makes another database with one organization, and no log.
	restored := func(t *testing.T, path string) {
		t.Helper()
		source := filepath.Join(t.TempDir(), "source.db")
		p := open(t, source)
		if err := create(t.Context(), p, "restored"); err != nil {
			t.Fatal(err)
		}
		if err := p.Backup(t.Context(), source+".copy"); err != nil {
			t.Fatal(err)
		}
		move(t, source+".copy", path)
	}
	removeLog := func(t *testing.T, path string) {
		t.Helper()
		for _, suffix := range []string{"-wal", "-shm"} {
			if err := os.Remove(path + suffix); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		away, back func(t *testing.T, path string)
		still      bool   // it stays unavailable
		has        string // the organization that it has afterwards
	}{
		"the file": {
			away: func(t *testing.T, path string) { move(t, path, path+".away") },
			back: func(t *testing.T, path string) { move(t, path+".away", path) },
			has:  "acme",
		},
		"the directory": {
			away: func(t *testing.T, path string) { move(t, filepath.Dir(path), filepath.Dir(path)+".away") },
			back: func(t *testing.T, path string) { move(t, filepath.Dir(path)+".away", filepath.Dir(path)) },
			has:  "acme",
		},
		"a backup restored in its place": {
			away: func(t *testing.T, path string) {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			},
			back: func(t *testing.T, path string) { removeLog(t, path); restored(t, path) },
			has:  "restored",
		},
		"a backup restored beside the old log": {
			away:  func(t *testing.T, path string) { move(t, path, path+".away") },
			back:  restored,
			still: true,
		},
		"an empty file in its place": {
			away: func(t *testing.T, path string) { move(t, path, path+".away"); removeLog(t, path) },
			back: func(t *testing.T, path string) {
				if err := os.WriteFile(path, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			},
			still: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "data", "plane.db")
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			p := open(t, path)
			if err := create(t.Context(), p, "acme"); err != nil {
				t.Fatal(err)
			}
			unavailable := func(when string) {
				t.Helper()
				_, standing := p.Standing(t.Context(), "nobody")
				for what, err := range map[string]error{
					"Ping":     p.Ping(t.Context()),
					"Standing": standing,
					"Read":     exists(t.Context(), p, "acme"),
					"Write":    create(t.Context(), p, "beta"),
				} {
					if cloud.CodeOf(err) != cloud.CodeUnavailable {
						t.Errorf("%s %s: got the error %v; want %s", what, when, err, cloud.CodeUnavailable)
					}
				}
			}
			c.away(t, path)
			unavailable("while it is away")
			if _, err := os.Stat(path); err == nil {
				t.Fatal("somebody made a new file")
			}
			c.back(t, path)
			if c.still {
				unavailable("with a wrong one in its place")
				return
			}
			if err := p.Ping(t.Context()); err != nil {
				t.Errorf("Ping when it is back: %v", err)
			}
			if err := exists(t.Context(), p, c.has); err != nil {
				t.Errorf("Read when it is back: %v", err)
			}
			if err := create(t.Context(), p, "beta"); err != nil {
				t.Errorf("Write when it is back: %v", err)
			}
			if err := exists(t.Context(), open(t, path), "beta"); err != nil {
				t.Errorf("what was written when it was back: %v", err)
			}
		})
	}
}

// A write that ends when its file has gone is not acknowledged.
func TestAwayDuringAWrite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "plane.db")
	p := open(t, path)
	err := p.Write(t.Context(), func(w cloud.Writer) error {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		return w.MarkAlive(now)
	})
	if cloud.CodeOf(err) != cloud.CodeUnavailable {
		t.Errorf("got the error %v; want %s", err, cloud.CodeUnavailable)
	}
}

// A backup made in the midst of writes is one state between two of them, and
// can be served from.
func TestBackupWhileWriting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := open(t, filepath.Join(dir, "plane.db"))
	ctx, stop := context.WithCancel(t.Context())
	written, done := make(chan int, 1), make(chan error)
	go func() {
		for n := 0; ; n++ {
			// Each write makes two things, which a consistent copy has or lacks together.
			err := p.Write(ctx, func(w cloud.Writer) error {
				name := fmt.Sprint("org-", n)
				if err := w.CreateOrganization(cloud.Organization{ID: cloud.ID(name), Name: name, CreatedAt: now}); err != nil {
					return err
				}
				return w.TouchHealth()
			})
			if err != nil {
				done <- err
				return
			}
			select {
			case written <- n + 1:
			default:
			}
		}
	}()
	for i := range 3 {
		least := <-written
		file := filepath.Join(dir, fmt.Sprint("backup-", i))
		if err := p.Backup(t.Context(), file); err != nil {
			t.Fatalf("Backup: %v", err)
		}
		copied := open(t, file)
		err := copied.Read(t.Context(), func(r cloud.Reader) error {
			plane, err := r.Plane()
			if err != nil {
				return err
			}
			n := int(plane.HealthRevision)
			if n < least {
				t.Errorf("the backup has %d writes; want at least %d", n, least)
			}
			if _, err := r.Organization(cloud.ID(fmt.Sprint("org-", n-1))); err != nil {
				t.Errorf("the last of %d writes is there in part: %v", n, err)
			}
			if _, err := r.Organization(cloud.ID(fmt.Sprint("org-", n))); cloud.CodeOf(err) != cloud.CodeNotFound {
				t.Errorf("more than %d writes are there in part: %v", n, err)
			}
			return nil
		})
		if err != nil {
			t.Fatalf("Read: %v", err)
		}
		if err := create(t.Context(), copied, "restored"); err != nil {
			t.Errorf("a write to the restored backup: %v", err)
		}
	}
	stop()
	if err := <-done; ctx.Err() == nil {
		t.Errorf("the writes ended with %v", err)
	}
}

func TestBackupFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := open(t, filepath.Join(dir, "plane.db"))
	if err := p.Backup(t.Context(), filepath.Join(dir, "nowhere", "backup.db")); err == nil {
		t.Error("a backup into no directory succeeded")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	file := filepath.Join(dir, "backup.db")
	if err := p.Backup(ctx, file); err == nil {
		t.Error("a canceled backup succeeded")
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a failed backup left its file")
	}
}
