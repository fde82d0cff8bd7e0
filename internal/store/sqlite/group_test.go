package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/rows"
)

// groupOf is a region's store, and projects to write to it.
func groupOf(t *testing.T) *Region {
	t.Helper()
	r, err := OpenRegion(t.Context(), filepath.Join(t.TempDir(), "region.db"), func() cloud.ID { return benchID(0) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func put(n int) func(cloud.RegionWriter) error {
	return func(w cloud.RegionWriter) error {
		return w.PutProject(cloud.Project{ID: benchID(n), OrganizationID: benchID(1), Name: fmt.Sprint("p", n), State: cloud.ProjectActive})
	}
}

// there lists which of the projects 0 to n-1 are there.
func there(t *testing.T, r *Region, n int) (which []int) {
	t.Helper()
	if err := r.Read(t.Context(), func(tx cloud.RegionReader) error {
		for i := range n {
			if _, err := tx.Project(benchID(i)); err == nil {
				which = append(which, i)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return which
}

// together holds the first write until the others wait for it, so that they are
// committed at once, and returns what came of each.
func together(t *testing.T, r *Region, others ...func() error) []error {
	t.Helper()
	g := &r.db.current.Load().group
	results := make([]error, len(others))
	var wait sync.WaitGroup
	err := r.Write(t.Context(), func(cloud.RegionWriter) error {
		for i, write := range others {
			wait.Go(func() { results[i] = write() })
			for { // they come in order
				g.mu.Lock()
				n := len(g.waiting)
				g.mu.Unlock()
				if n > i {
					break
				}
				runtime.Gosched()
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wait.Wait()
	return results
}

// TestWritesTogether proves that each of several writes that are committed at
// once is whole, fails by itself and sees those before it.
func TestWritesTogether(t *testing.T) {
	t.Parallel()
	r := groupOf(t)
	boom := errors.New("boom")
	gone, cancel := context.WithCancel(t.Context())
	write := func(ctx context.Context, n int, after error, sees int) func() error {
		return func() error {
			return r.Write(ctx, func(w cloud.RegionWriter) error {
				if _, err := w.Project(benchID(sees)); sees >= 0 && err != nil {
					t.Errorf("write %d does not see write %d", n, sees)
				}
				return errors.Join(put(n)(w), after)
			})
		}
	}
	got := together(
		t, r,
		write(t.Context(), 0, nil, -1),
		write(t.Context(), 1, boom, 0),
		func() (err error) {
			defer func() { err = fmt.Errorf("panicked: %v", recover()) }()
			return r.Write(t.Context(), func(w cloud.RegionWriter) error {
				if err := put(2)(w); err != nil {
					return err
				}
				panic("boom")
			})
		},
		func() error {
			return r.Write(gone, func(w cloud.RegionWriter) error {
				cancel()
				return put(3)(w)
			})
		},
		write(t.Context(), 4, nil, 0),
	)
	for i, want := range []string{"<nil>", "boom", "panicked: boom", "context canceled", "<nil>"} {
		if fmt.Sprint(got[i]) != want {
			t.Errorf("write %d ended with %v; want %s", i, got[i], want)
		}
	}
	if which := fmt.Sprint(there(t, r, 5)); which != "[0 4]" {
		t.Errorf("of the writes there is what %s wrote; want [0 4]", which)
	}
}

// TestWritesTogetherFailAsAWhole has one of them end the transaction of all, as
// SQLite does by itself on a full disk: the others are written all the same,
// and once.
func TestWritesTogetherFailAsAWhole(t *testing.T) {
	t.Parallel()
	r := groupOf(t)
	runs := make([]int, 3)
	counted := func(n int) func() error {
		return func() error {
			return r.Write(t.Context(), func(w cloud.RegionWriter) error {
				runs[n]++
				return put(n)(w)
			})
		}
	}
	full := errors.New("the disk is full")
	fails := func() error {
		return r.db.inGroup(t.Context(), func(tx rows.DB) error {
			runs[1]++
			if _, err := tx.Exec(t.Context(), "ROLLBACK"); err != nil {
				return err
			}
			return full
		})
	}
	got := together(t, r, counted(0), fails, counted(2))
	if got[0] != nil || !errors.Is(got[1], full) || got[2] != nil {
		t.Errorf("the writes ended with %v", got)
	}
	if which := fmt.Sprint(there(t, r, 3)); which != "[0 2]" || runs[0] != 2 || runs[2] != 1 {
		t.Errorf("there is what %s wrote, in %v runs", which, runs)
	}
}

// TestWaitingWriteGivesUp is about whoever leaves before it is their turn.
func TestWaitingWriteGivesUp(t *testing.T) {
	t.Parallel()
	r := groupOf(t)
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	err := r.Write(t.Context(), func(cloud.RegionWriter) error {
		go func() { left <- r.Write(ctx, put(0)) }()
		g := &r.db.current.Load().group
		for waiting := 0; waiting == 0; runtime.Gosched() {
			g.mu.Lock()
			waiting = len(g.waiting)
			g.mu.Unlock()
		}
		cancel()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
		return nil
	})
	if err != nil || len(there(t, r, 1)) > 0 {
		t.Errorf("%v, and %v is there", err, there(t, r, 1))
	}
	if err := r.Write(t.Context(), put(1)); err != nil {
		t.Error(err)
	}
}
