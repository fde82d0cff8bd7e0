package sqlite

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// A full disk refuses writes and says what to do; what is there is read, and
// when there is room again, writing goes on. The story of the same name has a
// disk that is full; here it is SQLite that believes so, on any system.
func TestFull(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "plane.db")
	p, err := OpenPlane(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	made := 0
	write := func() error {
		err := p.Write(t.Context(), func(w cloud.Writer) error {
			name := fmt.Sprint("org-", made)
			return w.CreateOrganization(cloud.Organization{
				ID: cloud.ID(name), Name: name, DisplayName: strings.Repeat("x", 8<<10), CreatedAt: time.Unix(1, 0),
			})
		})
		if err == nil {
			made++
		}
		return err
	}
	room := func(pages int) {
		t.Helper()
		if _, err := p.db.current.Load().write.ExecContext(t.Context(), fmt.Sprint("PRAGMA max_page_count = ", pages)); err != nil {
			t.Fatal(err)
		}
	}

	room(1) // as few as there are
	err = write()
	for err == nil && made < 10 { // there may be free pages
		err = write()
	}
	if cloud.CodeOf(err) != cloud.CodeUnavailable {
		t.Fatalf("a write to a full disk: got %v; want %s", err, cloud.CodeUnavailable)
	}
	if said := fmt.Sprint(cause(err)); !strings.Contains(said, path) || !strings.Contains(said, "make room on its disk") {
		t.Errorf("the log says %q", said)
	}
	if err := p.Read(t.Context(), func(r cloud.Reader) error { _, err := r.Plane(); return err }); err != nil {
		t.Errorf("a read: %v", err)
	}
	room(1 << 30)
	if err := write(); err != nil {
		t.Errorf("a write when there is room again: %v", err)
	}
}

// cause is what the log gets to read of a refusal.
func cause(err error) error {
	if u, ok := err.(interface{ Unwrap() error }); ok {
		return u.Unwrap()
	}
	return err
}
