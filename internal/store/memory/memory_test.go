package memory_test

import (
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/memory"
	"github.com/penstock-cloud/penstock/internal/store/storetest"
)

// What is opened again is what was kept.
func TestRegionStore(t *testing.T) {
	t.Parallel()
	storetest.TestRegionStore(t, func(t *testing.T) func(func() cloud.ID) cloud.RegionStore {
		var made *memory.Region
		return func(newIncarnation func() cloud.ID) cloud.RegionStore {
			switch {
			case made == nil:
				made = memory.NewRegion(newIncarnation())
			case made.Ping(t.Context()) != nil: // closed
				made = made.Clone()
			}
			return made
		}
	})
}

func TestFleetStore(t *testing.T) {
	t.Parallel()
	storetest.TestFleetStore(t, func(*testing.T) func() cloud.Store {
		s := memory.NewPlane()
		return func() cloud.Store { return s }
	})
}
