package federation_test

import (
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/memory"
)

// media is what the databases of a simulation are kept in.
type media interface {
	newPlane() cloud.Store
	newRegion(incarnation cloud.ID) cloud.RegionStore
	clonePlane(db cloud.Store) cloud.Store // nil if there are no copies of it
	cloneRegion(db cloud.RegionStore) cloud.RegionStore
}

type inMemory struct{}

func (inMemory) newPlane() cloud.Store { return memory.NewPlane() }
func (inMemory) newRegion(incarnation cloud.ID) cloud.RegionStore {
	return memory.NewRegion(incarnation)
}

func (inMemory) clonePlane(db cloud.Store) cloud.Store { return db.(*memory.Plane).Clone() }

func (inMemory) cloneRegion(db cloud.RegionStore) cloud.RegionStore {
	return db.(*memory.Region).Clone()
}
