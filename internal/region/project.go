package region

import (
	"context"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// NewProject is what is asked for with a project.
type NewProject struct {
	Name string
	Tags cloud.Tags
}

// Projects lists those of the caller's organization.
func (t *Tenants) Projects(ctx context.Context, c Caller) (projects []cloud.Project, err error) {
	err = t.Region.Read(ctx, func(r cloud.RegionReader) error {
		projects, err = r.Projects(c.OrganizationID)
		return err
	})
	return projects, err
}

// Project returns one of the caller's organization; CodeNotFound if that has
// none of that id.
func (t *Tenants) Project(ctx context.Context, c Caller, id cloud.ID) (project cloud.Project, err error) {
	err = t.Region.Read(ctx, func(r cloud.RegionReader) error {
		project, err = projectOf(r, c, id)
		return err
	})
	return project, err
}

func projectOf(r cloud.RegionReader, c Caller, id cloud.ID) (cloud.Project, error) {
	p, err := r.Project(id)
	if cloud.CodeOf(err) == cloud.CodeNotFound || err == nil && p.OrganizationID != c.OrganizationID {
		return cloud.Project{}, errNoProject(id)
	}
	return p, err
}

// CreateProject makes one.
func (t *Tenants) CreateProject(ctx context.Context, c Caller, in NewProject) (cloud.Project, error) {
	if err := cloud.CheckThingName("name", in.Name); err != nil {
		return cloud.Project{}, err
	}
	if err := in.Tags.Check(); err != nil {
		return cloud.Project{}, err
	}
	p := t.plan(c, in)
	err := t.change(ctx, func(tx *change) error { return tx.found(c, &p) })
	return p, err
}

func (t *Tenants) plan(c Caller, in NewProject) cloud.Project {
	return cloud.Project{
		ID: t.Region.newID(), OrganizationID: c.OrganizationID, Name: in.Name,
		State: cloud.ProjectActive, Tags: in.Tags,
	}
}

func (c *change) found(by Caller, p *cloud.Project) error {
	p.CreatedAt = c.at
	if err := c.PutProject(*p); err != nil {
		return err
	}
	return c.audit(by, deed{action: "project.create", target: string(p.ID), after: projectFacts(*p)})
}

// DeleteProject deletes one with nothing in it; CodeConflict, which counts
// them, while it has instances or filesystems.
func (t *Tenants) DeleteProject(ctx context.Context, c Caller, id cloud.ID) error {
	return t.change(ctx, func(tx *change) error {
		p, err := projectOf(tx, c, id)
		if err != nil {
			return err
		}
		machines, err := tx.CountMachines(id)
		if err != nil {
			return err
		}
		filesystems, err := tx.Filesystems(id)
		if err != nil {
			return err
		}
		if machines > 0 || len(filesystems) > 0 {
			return cloud.Conflict("the project has %d instances and %d filesystems; delete them first", machines, len(filesystems))
		}
		if err := tx.DeleteProject(id); err != nil {
			return err
		}
		return tx.audit(c, deed{action: "project.delete", target: string(id), before: projectFacts(p)})
	})
}

func projectFacts(p cloud.Project) any {
	return struct {
		Name string     `json:"name"`
		Tags cloud.Tags `json:"tags,omitempty"`
	}{p.Name, p.Tags}
}
