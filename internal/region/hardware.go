package region

import (
	"context"
	"slices"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// Capacity is how many more instances of a type fit.
type Capacity struct {
	Type  string
	Count int
}

// Features says what the region's engine can do.
func (t *Tenants) Features() engine.Features { return t.Engine.Features() }

// InstanceTypes lists what is offered, as it is configured.
func (t *Tenants) InstanceTypes(context.Context) ([]cloud.InstanceType, error) {
	return slices.Clone(t.Types), nil
}

// Capacity tells for each type how many more instances of it, and of nothing
// else, there is room for
// now.
func (t *Tenants) Capacity(ctx context.Context, c Caller) ([]Capacity, error) {
	var hosts []cloud.HostUse
	err := t.Region.Read(ctx, func(r cloud.RegionReader) (err error) {
		hosts, err = r.Hosts()
		return err
	})
	if err != nil {
		return nil, err
	}
	capacity := make([]Capacity, len(t.Types))
	for i, typ := range t.Types {
		capacity[i].Type = typ.Name
		for _, host := range hosts {
			capacity[i].Count += host.Fits(typ)
		}
	}
	return capacity, nil
}

func (t *Tenants) instanceType(name string) (cloud.InstanceType, error) {
	i := slices.IndexFunc(t.Types, func(typ cloud.InstanceType) bool { return typ.Name == name })
	if i < 0 {
		return cloud.InstanceType{}, cloud.Invalid("type: this region has no type %.80q; GET /instance-types lists what it has", name)
	}
	return t.Types[i], nil
}
