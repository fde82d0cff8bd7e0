package stories

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
	"github.com/penstock-cloud/penstock/test/soak"
)

// TestSoakRestore kills a restore at any moment. Afterwards there is either the
// database that was there, with what was acknowledged last, or the backup; and
// in that case the other one is kept, whole. Written in place instead of renamed,
// the backup is found half there within a few dozen rounds.
func TestSoakRestore(t *testing.T) {
	t.Parallel()
	in := install(t)
	data := filepath.Join(in.dir, "data")
	plane, err := serve(in.dir, "plane", in.env, []string{"serve", "plane", "--data-dir", "data", "--listen", in.listen, "--ops-listen", ""})
	if err != nil {
		t.Fatal(err)
	}
	in.admin(t, "--data-dir", "data", "backup", "backup.db")
	plane.kill() // which leaves a log

	took, outcomes := time.Duration(0), map[bool]int{}
	for n, random := range soak.Rounds(t, 10) {
		last := fmt.Sprint("org-", n)
		in.admin(t, "--data-dir", "data", "org", "create", last)
		if took == 0 { // how long one takes, to know which moments there are
			began := time.Now()
			in.admin(t, "--data-dir", "data", "restore", "backup.db")
			took = time.Since(began)
		} else {
			restore, err := launch(in.dir, "restore", in.env, []string{"admin", "--data-dir", "data", "restore", "backup.db"})
			if err != nil {
				t.Fatal(err)
			}
			if random.IntN(2) == 0 {
				moment(random, 2*took)
			} else { // where it matters: when what is there is kept, and being replaced
				for running(restore) && len(asides(t, data)) == 0 {
					runtime.Gosched()
				}
				moment(random, 2*time.Millisecond)
			}
			restore.kill()
		}
		kept := asides(t, data)
		restored := !hasOrganization(t, in.database("plane.db"), last)
		outcomes[restored]++
		if restored && (len(kept) == 0 || !hasOrganization(t, kept[0], last)) {
			t.Errorf("what was acknowledged last is neither there nor in what was kept: %v", kept)
		}
		intact(t, in.database("plane.db"))
		for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
			if len(kept) > 0 {
				_ = os.Remove(kept[0] + suffix) // as far as it is there
			}
		}
	}
	t.Logf("restored %d times, and not %d times", outcomes[true], outcomes[false])
}

// asides are the databases that a restore kept: one at most.
func asides(t *testing.T, data string) []string {
	t.Helper()
	kept, err := filepath.Glob(filepath.Join(data, "plane.db.before-*Z"))
	if err != nil || len(kept) > 1 {
		t.Fatalf("kept are %v, %v", kept, err)
	}
	return kept
}

func running(p *process) bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

func hasOrganization(t *testing.T, database, name string) bool {
	t.Helper()
	store, err := sqlite.OpenPlane(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	err = store.Read(t.Context(), func(tx cloud.Reader) error {
		_, err := tx.OrganizationByName(name)
		return err
	})
	if err != nil && cloud.CodeOf(err) != cloud.CodeNotFound {
		t.Fatal(err)
	}
	return err == nil
}
