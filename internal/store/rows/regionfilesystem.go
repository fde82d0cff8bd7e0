package rows

import (
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/regiondb"
)

func filesystem(row regiondb.Filesystem) cloud.Filesystem {
	return cloud.Filesystem{
		ID:        cloud.ID(row.ID),
		ProjectID: cloud.ID(row.ProjectID),
		Name:      row.Name,
		Size:      cloud.Bytes(row.Size),
		State:     cloud.FilesystemState(row.State),
		CreatedAt: instant(row.CreatedAt),
	}
}

// Filesystem implements cloud.RegionReader.
func (r RegionReader) Filesystem(id cloud.ID) (cloud.Filesystem, error) {
	row, err := r.q.GetFilesystem(r.ctx, string(id))
	return filesystem(row), missing(err, "the region has no filesystem of that id")
}

// Filesystems implements cloud.RegionReader.
func (r RegionReader) Filesystems(project cloud.ID) ([]cloud.Filesystem, error) {
	rows, err := r.q.ListFilesystems(r.ctx, string(project))
	return each(rows, err, filesystem)
}

// AllFilesystems implements cloud.RegionReader.
func (r RegionReader) AllFilesystems() ([]cloud.Filesystem, error) {
	rows, err := r.q.ListAllFilesystems(r.ctx)
	return each(rows, err, filesystem)
}

// PutFilesystem implements cloud.RegionWriter.
func (w RegionWriter) PutFilesystem(f cloud.Filesystem) error {
	if _, err := w.Project(f.ProjectID); err != nil {
		return err
	}
	return w.q.PutFilesystem(w.ctx, regiondb.PutFilesystemParams{
		ID:        string(f.ID),
		ProjectID: string(f.ProjectID),
		Name:      f.Name,
		Size:      int64(f.Size),
		State:     string(f.State),
		CreatedAt: micros(f.CreatedAt),
	})
}

// DeleteFilesystem implements cloud.RegionWriter.
func (w RegionWriter) DeleteFilesystem(id cloud.ID) error {
	n, err := w.q.DeleteFilesystem(w.ctx, string(id))
	return changed(n, err, cloud.NotFound("the region has no filesystem of that id"))
}
