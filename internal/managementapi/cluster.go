package managementapi

import (
	"context"

	"github.com/google/uuid"

	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/rest"
)

func (h handlers) ListClusters(ctx context.Context, r ListClustersRequestObject) (ListClustersResponseObject, error) {
	page, err := pageOf(r.Params.Limit, r.Params.Cursor, byID)
	if err != nil {
		return nil, err
	}
	caller, project := callerOf(ctx), optionalID(r.Params.ProjectID)
	return answerFleet(ctx, h.Server, page, func() (control.FleetListing[control.Cluster], error) {
		return h.Control.Clusters(ctx, caller, project, page)
	}, wireCluster)
}

func wireCluster(c control.Cluster) Cluster {
	health := ClusterHealth(c.Health.Health)
	return Cluster{
		ID: uuid.MustParse(string(c.ID)), Name: c.Name, Type: ClusterType(c.Type),
		ProjectID: rest.OrNil(string(c.ProjectID)), Region: c.Region,
		Health: &health, HealthReason: rest.OrNil(c.Health.Reason), UpdatedAt: &c.UpdatedAt,
	}
}
