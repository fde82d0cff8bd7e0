package sqlite

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Two stores on one file share its index, and the first to close leaves it to
// the other: to close a descriptor would take SQLite's locks away.
func TestWALIndexIsShared(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "plane.db")
	var planes [2]*Plane
	for i := range planes {
		var err error
		if planes[i], err = OpenPlane(t.Context(), path); err != nil {
			t.Fatal(err)
		}
	}
	index := planes[0].db.current.Load().index
	if other := planes[1].db.current.Load().index; other != index {
		t.Error("there are two indexes of one file")
	}
	if err := planes[0].Close(); err != nil {
		t.Fatal(err)
	}
	if _, ok := index.state(); !ok {
		t.Error("the index was closed under a store that uses it")
	}
	if err := planes[1].Close(); err != nil {
		t.Fatal(err)
	}
	if _, ok := index.state(); ok {
		t.Error("the index is still open, with nobody left who uses it")
	}
	walIndexes.Lock()
	defer walIndexes.Unlock()
	if slices.Contains(walIndexes.open, index) {
		t.Error("the index is still on the list")
	}
}

// Reading leaves the state as it is; else nothing would ever be kept.
func TestWALIndexState(t *testing.T) {
	t.Parallel()
	p, err := OpenPlane(t.Context(), filepath.Join(t.TempDir(), "plane.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	state := func() walState {
		t.Helper()
		s, ok := p.db.current.Load().index.state()
		if !ok {
			t.Fatal("there is no state")
		}
		return s
	}
	seen := []walState{state()}
	for range 3 {
		if err := p.Read(t.Context(), func(r cloud.Reader) error { _, err := r.Plane(); return err }); err != nil {
			t.Fatal(err)
		}
		if got := state(); got != seen[len(seen)-1] {
			t.Error("reading changed the state")
		}
		if err := p.Write(t.Context(), cloud.Writer.TouchHealth); err != nil {
			t.Fatal(err)
		}
		if got := state(); slices.Contains(seen, got) {
			t.Error("a commit left the state as it was before")
		}
		seen = append(seen, state())
	}
}
