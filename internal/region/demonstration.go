package region

import (
	"context"
	"fmt"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Demonstrate fills a region in which there never was an instance: with a
// project for each of the organizations, of which the instances take turns to
// be in one. In any other region it does nothing; so nothing is there twice
// after a crash, and what was deleted does not come back. It is called before the
// Reconciler runs, which finds what there is to do.
func (t *Tenants) Demonstrate(ctx context.Context, organizations []cloud.ID, instances []NewInstance) error {
	if len(organizations) == 0 || len(instances) == 0 {
		return nil
	}
	if fresh, err := t.Region.fresh(ctx); err != nil || !fresh {
		return err
	}
	callers := make([]Caller, len(organizations))
	projects := make([]cloud.Project, len(organizations))
	for i, id := range organizations {
		callers[i] = Caller{OrganizationID: id, program: true}
		projects[i] = t.plan(callers[i], NewProject{Name: "demonstration"})
		callers[i].ProjectID = projects[i].ID
	}
	machines := make([]cloud.Machine, len(instances))
	for i, in := range instances {
		var err error
		if machines[i], err = t.design(ctx, callers[i%len(callers)], in); err != nil {
			return cloud.About(fmt.Sprintf("the instance %.80q for demonstration", in.Name), err)
		}
	}
	if err := t.Region.Heard(cloud.SourceRegion); err != nil { // it vouches for them before the first survey
		return err
	}
	return t.change(ctx, func(tx *change) error {
		if tx.id.Seq > 0 {
			return nil // somebody was faster
		}
		for i := range projects {
			if err := tx.found(callers[i], &projects[i]); err != nil {
				return err
			}
		}
		for i := range machines {
			if err := t.launch(tx, callers[i%len(callers)], &machines[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// fresh tells whether nothing was ever reported of the region.
func (r *Region) fresh(ctx context.Context) (bool, error) {
	var id cloud.RegionIdentity
	err := r.Read(ctx, func(tx cloud.RegionReader) (err error) {
		id, err = tx.Identity()
		return err
	})
	return id.Seq == 0, err
}
