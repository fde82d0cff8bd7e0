package postgres_test

import (
	"log/slog"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/postgres"
	"github.com/penstock-cloud/penstock/internal/store/postgres/pgtest"
	"github.com/penstock-cloud/penstock/internal/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.TestStore(t, func(t *testing.T) func() cloud.Store {
		url := pgtest.Database(t)
		return func() cloud.Store {
			s, err := postgres.OpenPlane(t.Context(), url, slog.New(slog.DiscardHandler))
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
		url := pgtest.Database(t)
		return func(newIncarnation func() cloud.ID) cloud.RegionStore {
			s, err := postgres.OpenRegion(t.Context(), url, newIncarnation, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatalf("OpenRegion: %v", err)
			}
			return s
		}
	})
}
