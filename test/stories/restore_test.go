package stories

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
	"github.com/penstock-cloud/penstock/test/soak"
)

// TestSoakRestore kills a restore at any moment. Afterwards there is either the
// database that was there, with what was acknowledged last, or the backup; and
// in that case the other one is kept, whole.
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
			moment(random, 3*took) // it is slower when others work too
			restore.kill()
		}
		kept, err := filepath.Glob(filepath.Join(data, "plane.db.before-*Z"))
		if err != nil || len(kept) > 1 {
			t.Fatalf("kept are %v, %v", kept, err)
		}
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
