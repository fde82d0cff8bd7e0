package sqlite_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
)

// filled returns the path of a database of many pages that nobody uses.
func filled(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plane.db")
	p := open(t, path)
	err := p.Write(t.Context(), func(w cloud.Writer) error {
		for n := range 500 {
			name := fmt.Sprintf("org-%03d", n)
			if err := w.CreateOrganization(cloud.Organization{
				ID: cloud.ID(name), Name: name, DisplayName: strings.Repeat("x", 500), CreatedAt: now,
			}); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, p.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// edit changes a file in place, as its disk might.
func edit(t *testing.T, path string, change func(content []byte) []byte) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

const page = 4096

// garbage is in the place of all pages but the first few, in which the schema
// is.
func garbage(content []byte) []byte {
	copy(content[len(content)/2:], bytes.Repeat([]byte{0xa5}, len(content)))
	return content
}

// whatever reads a damaged file says that it is, and what to do.
func wantDamage(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil || cloud.CodeOf(err) != "" || !strings.Contains(err.Error(), "penstock admin restore FILE") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: got %v; want one line that says to restore a backup", what, err)
	}
}

// What is wrong with a file as a whole keeps it from being opened.
func TestOpenRefusesDamage(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(t *testing.T, path string){
		"the end is gone": func(t *testing.T, path string) {
			edit(t, path, func(b []byte) []byte { return b[:len(b)/2/page*page] })
		},
		"the end is gone in the midst of a page": func(t *testing.T, path string) {
			edit(t, path, func(b []byte) []byte { return b[:len(b)/2+17] })
		},
		"the schema is garbage": func(t *testing.T, path string) {
			edit(t, path, func(b []byte) []byte { copy(b[100:page], bytes.Repeat([]byte{0xa5}, page)); return b })
		},
		"the log is garbage": func(t *testing.T, path string) {
			if err := os.WriteFile(path+"-wal", bytes.Repeat([]byte{0xa5}, 3*page), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"the log's header is not what it was": func(t *testing.T, path string) {
			crashed(t, path)
			edit(t, path+"-wal", func(b []byte) []byte { b[17] ^= 1; return b })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filled(t)
			damage(t, path)
			p, err := sqlite.OpenPlane(t.Context(), path)
			if err == nil {
				t.Fatal("it was opened", p.Close())
			}
			wantDamage(t, "OpenPlane", err)
		})
	}
}

// crashed leaves the log that a process leaves that was killed.
func crashed(t *testing.T, path string) {
	t.Helper()
	p := open(t, path)
	if err := create(t.Context(), p, "acme"); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.Close(), os.WriteFile(path+"-wal", log, 0o600)); err != nil {
		t.Fatal(err)
	}
}

// What a power failure may leave of a log is no damage: nothing was
// acknowledged from it.
func TestOpenTakesTornLogs(t *testing.T) {
	t.Parallel()
	for name, tear := range map[string]func(log []byte) []byte{
		"nothing":          func([]byte) []byte { return nil },
		"a part":           func(log []byte) []byte { return log[:20] },
		"zeros":            func(log []byte) []byte { return make([]byte, len(log)) },
		"no frame":         func(log []byte) []byte { return log[:32] },
		"a part of frames": func(log []byte) []byte { return log[:len(log)-page/2] },
		"all":              func(log []byte) []byte { return log },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filled(t)
			crashed(t, path)
			edit(t, path+"-wal", tear)
			p := open(t, path)
			if err := exists(t.Context(), p, "org-499"); err != nil {
				t.Error(err)
			}
			if err := create(t.Context(), p, "beta"); err != nil {
				t.Error(err)
			}
		})
	}
}

// Garbage that the start does not read comes to light when it is read, and
// with the next backup at the latest.
func TestDamageInUse(t *testing.T) {
	t.Parallel()
	path := filled(t)
	edit(t, path, garbage)
	p := open(t, path)
	err := p.Read(t.Context(), func(r cloud.Reader) error {
		for n := range 500 {
			if _, err := r.Organization(cloud.ID(fmt.Sprintf("org-%03d", n))); err != nil {
				return err
			}
		}
		return nil
	})
	wantDamage(t, "Read", err)
	copied := path + ".copy"
	wantDamage(t, "Backup", p.Backup(t.Context(), copied))
	if _, err := os.Stat(copied); err == nil {
		t.Error("a backup of what is damaged was left")
	}
}
