package managementapi

import (
	"context"

	"github.com/google/uuid"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/rest"
)

func (h handlers) ListInstances(ctx context.Context, r ListInstancesRequestObject) (ListInstancesResponseObject, error) {
	page, err := pageOf(r.Params.Limit, r.Params.Cursor, byID)
	if err != nil {
		return nil, err
	}
	caller, project := callerOf(ctx), optionalID(r.Params.ProjectID)
	return answerFleet(ctx, h.Server, page, func() (control.FleetListing[control.Instance], error) {
		return h.Control.Instances(ctx, caller, project, page)
	}, wireInstance)
}

func (h handlers) GetInstance(ctx context.Context, r GetInstanceRequestObject) (GetInstanceResponseObject, error) {
	instance, err := h.Control.Instance(ctx, callerOf(ctx), cloud.ID(r.ID.String()))
	if err != nil {
		return nil, err
	}
	return answerWith(wireInstance(instance), "")
}

func wireInstance(i control.Instance) Instance {
	health := InstanceHealth(i.Health.Health)
	tags := i.Tags
	if tags == nil {
		tags = map[string]string{}
	}
	return Instance{
		ID: uuid.MustParse(string(i.ID)), Name: i.Name, Type: i.Type, State: InstanceState(i.State),
		IP: rest.OrNil(i.IP), Image: i.Image, Preemptible: i.Preemptible, Ephemeral: i.Ephemeral, Tags: tags,
		ProjectID: string(i.ProjectID), Region: i.Region,
		Health: &health, HealthReason: rest.OrNil(i.Health.Reason), UpdatedAt: &i.UpdatedAt,
	}
}
