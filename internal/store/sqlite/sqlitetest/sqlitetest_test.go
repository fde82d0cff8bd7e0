package sqlitetest_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
	"github.com/penstock-cloud/penstock/internal/store/sqlite/sqlitetest"
)

// Two planes that tests set against each other are two.
func TestPlanesHaveKeysOfTheirOwn(t *testing.T) {
	t.Parallel()
	var keys [2]cloud.Plane
	for i := range keys {
		store, err := sqlite.OpenPlane(t.Context(), sqlitetest.Plane(t, filepath.Join(t.TempDir(), "plane.db")))
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		if err := store.Read(t.Context(), func(r cloud.Reader) (err error) {
			keys[i], err = r.Plane()
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if keys[0].NonceKey.Reveal() == keys[1].NonceKey.Reveal() || keys[0].MailKey.Reveal() == keys[1].MailKey.Reveal() {
		t.Error("two planes have one key")
	}
}

func TestRegionsHaveIdentitiesOfTheirOwn(t *testing.T) {
	t.Parallel()
	const want = cloud.ID("0195c0de-0000-7000-8000-000000000001")
	store, err := sqlite.OpenRegion(t.Context(), sqlitetest.Region(t, filepath.Join(t.TempDir(), "region.db")), func() cloud.ID { return want })
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if err := store.Read(t.Context(), func(r cloud.RegionReader) error {
		got, err := r.Identity()
		if got.Incarnation != want {
			t.Errorf("got %q, want %q", got.Incarnation, want)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// What a store makes of an empty file, it finds in a prepared one, to the
// letter.
func TestSchemaIsTheStores(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	schema := func(file string) string {
		store, err := sqlite.OpenPlane(t.Context(), file)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		return dump(t.Context(), t, file)
	}
	made := schema(filepath.Join(dir, "made.db"))
	prepared := schema(sqlitetest.Plane(t, filepath.Join(dir, "prepared.db")))
	if diff := gocmp.Diff(made, prepared); diff != "" {
		t.Errorf("made by the store, and prepared:\n%s", diff)
	}
}

func TestFilesThatAreThereStay(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "plane.db")
	if err := os.WriteFile(file, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	sqlitetest.Plane(t, file)
	if got, err := os.ReadFile(file); err != nil || string(got) != "kept" {
		t.Errorf("got %q, %v", got, err)
	}
}

// dump is the schema of a file and what its header says.
func dump(ctx context.Context, t *testing.T, file string) (text string) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(ctx, `SELECT application_id || journal_mode || group_concat(coalesce(sql, name), char(10) ORDER BY name)
		FROM pragma_application_id, pragma_journal_mode, sqlite_master`).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}
