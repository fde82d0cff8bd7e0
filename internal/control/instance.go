package control

import (
	"context"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Instance is an instance with its health at the time of reading.
type Instance struct {
	cloud.Instance
	Health cloud.Assessment[cloud.InstanceHealth]
}

// Instances lists the instances of the caller's organization, of one project
// or ("") of all. An unknown project has none.
func (c *Control) Instances(ctx context.Context, caller cloud.Caller, project cloud.ID, page cloud.Page) (FleetListing[Instance], error) {
	return read(ctx, c, func(tx cloud.Reader) (FleetListing[Instance], error) {
		return assess(c, tx, page, func(p cloud.Page) ([]cloud.Instance, error) {
			return tx.Instances(caller.Relation.OrganizationID, project, p)
		}, (*assessor).instance)
	})
}

// Instance returns one instance of the caller's organization. CodeNotFound for
// another organization's, as for one that does not exist.
func (c *Control) Instance(ctx context.Context, caller cloud.Caller, id cloud.ID) (Instance, error) {
	return read(ctx, c, func(tx cloud.Reader) (Instance, error) {
		found, err := tx.Instance(caller.Relation.OrganizationID, id)
		if err != nil {
			return Instance{}, err
		}
		a, err := c.newAssessor(tx)
		if err != nil {
			return Instance{}, err
		}
		return a.instance(found), nil
	})
}

func (a *assessor) instance(in cloud.Instance) Instance {
	health := a.clock.Instance(a.link(in.Region), in)
	a.until = health.Soonest(a.until)
	return Instance{in, health}
}

func (i Instance) key() string { return string(i.ID) }
