package infrastructureapi

import (
	"context"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/region"
)

func (h handlers) ListInstanceTypes(ctx context.Context, _ ListInstanceTypesRequestObject) (ListInstanceTypesResponseObject, error) {
	types, err := h.Region.InstanceTypes(ctx)
	return answerList(types, err, wireInstanceType)
}

func (h handlers) ListCapacity(ctx context.Context, _ ListCapacityRequestObject) (ListCapacityResponseObject, error) {
	capacity, err := h.Region.Capacity(ctx, callerOf(ctx))
	return answerList(capacity, err, wireCapacity)
}

// wireInstanceType names the GPUs in both ways: clients read one or the other.
func wireInstanceType(t cloud.InstanceType) InstanceType {
	return InstanceType{
		Name: t.Name, CPU: t.CPU, Memory: t.Memory.String(),
		GPUModel: t.GPUModel, GPUCount: t.GPUCount, OlderGPUModel: t.GPUModel, OlderGPUCount: t.GPUCount,
	}
}

func wireCapacity(c region.Capacity) Capacity { return Capacity{Name: c.Type, Capacity: c.Count} }
