package control

import (
	"context"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Cluster is a cluster with its health at the time of reading.
type Cluster struct {
	cloud.Cluster
	Health cloud.Assessment[cloud.ClusterHealth]
}

// Clusters lists the clusters of the caller's organization, of one project or
// ("") of all. An unknown project has none.
func (c *Control) Clusters(ctx context.Context, caller cloud.Caller, project cloud.ID, page cloud.Page) (FleetListing[Cluster], error) {
	return read(ctx, c, func(tx cloud.Reader) (FleetListing[Cluster], error) {
		return assess(c, tx, page, func(p cloud.Page) ([]cloud.Cluster, error) {
			return tx.Clusters(caller.Relation.OrganizationID, project, p)
		}, (*assessor).cluster)
	})
}

func (a *assessor) cluster(cl cloud.Cluster) Cluster {
	health := a.clock.Cluster(a.link(cl.Region), cl)
	a.until = health.Soonest(a.until)
	return Cluster{cl, health}
}

func (c Cluster) key() string { return string(c.ID) }
