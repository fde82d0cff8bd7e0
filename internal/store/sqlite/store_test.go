package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
	"github.com/penstock-cloud/penstock/internal/store/sqlite/sqlitetest"
	"github.com/penstock-cloud/penstock/internal/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.TestStore(t, func(t *testing.T) func() cloud.Store {
		path := sqlitetest.Plane(t, filepath.Join(t.TempDir(), "plane.db"))
		return func() cloud.Store {
			s, err := sqlite.OpenPlane(t.Context(), path)
			if err != nil {
				t.Fatalf("OpenPlane: %v", err)
			}
			return s
		}
	})
}

func TestRegionStore(t *testing.T) {
	t.Parallel()
	storetest.TestRegionStore(t, func(t *testing.T) func(func() cloud.ID) cloud.RegionStore {
		path := sqlitetest.Region(t, filepath.Join(t.TempDir(), "region.db"))
		return func(newIncarnation func() cloud.ID) cloud.RegionStore {
			s, err := sqlite.OpenRegion(t.Context(), path, newIncarnation)
			if err != nil {
				t.Fatalf("OpenRegion: %v", err)
			}
			return s
		}
	})
}
