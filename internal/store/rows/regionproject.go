package rows

import (
	"encoding/json"
	"fmt"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/regiondb"
)

func project(row regiondb.Project) (cloud.Project, error) {
	p := cloud.Project{
		ID:             cloud.ID(row.ID),
		OrganizationID: cloud.ID(row.OrganizationID),
		Name:           row.Name,
		State:          cloud.ProjectState(row.State),
		CreatedAt:      instant(row.CreatedAt),
	}
	if err := json.Unmarshal([]byte(row.Tags), &p.Tags); err != nil {
		return p, fmt.Errorf("tags of the project %s: %w", row.ID, err)
	}
	return p, nil
}

// Project implements cloud.RegionReader.
func (r RegionReader) Project(id cloud.ID) (cloud.Project, error) {
	row, err := r.q.GetProject(r.ctx, string(id))
	if err != nil {
		return cloud.Project{}, missing(err, "the region has no project of that id")
	}
	return project(row)
}

// Projects implements cloud.RegionReader.
func (r RegionReader) Projects(organization cloud.ID) ([]cloud.Project, error) {
	rows, err := r.q.ListProjects(r.ctx, string(organization))
	return try(rows, err, project)
}

// PutProject implements cloud.RegionWriter.
func (w RegionWriter) PutProject(p cloud.Project) error {
	tags, err := json.Marshal(p.Tags)
	if err != nil {
		return err
	}
	return w.q.PutProject(w.ctx, regiondb.PutProjectParams{
		ID:             string(p.ID),
		OrganizationID: string(p.OrganizationID),
		Name:           p.Name,
		State:          string(p.State),
		Tags:           string(tags),
		CreatedAt:      micros(p.CreatedAt),
	})
}

// DeleteProject implements cloud.RegionWriter.
func (w RegionWriter) DeleteProject(id cloud.ID) error {
	n, err := w.q.DeleteProject(w.ctx, string(id))
	if err != nil || n > 0 {
		return err
	}
	if _, err := w.Project(id); err != nil {
		return err
	}
	machines, err := w.CountMachines(id)
	if err != nil {
		return err
	}
	filesystems, err := w.q.CountFilesystems(w.ctx, string(id))
	if err != nil {
		return err
	}
	return cloud.Conflict("the project has instances (%d) or filesystems (%d); delete them first", machines, filesystems)
}
