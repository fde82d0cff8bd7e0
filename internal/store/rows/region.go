package rows

import (
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
)

func region(row planedb.Region) cloud.Region {
	return cloud.Region{Name: row.Name, URL: row.Url, CreatedAt: instant(row.CreatedAt)}
}

// Region implements cloud.Reader.
func (r Reader) Region(name string) (cloud.Region, error) {
	row, err := r.q.GetRegion(r.ctx, name)
	return region(row), missing(err, "there is no region named %q", name)
}

// Regions implements cloud.Reader.
func (r Reader) Regions(page cloud.Page) ([]cloud.Region, error) {
	rows, err := r.q.ListRegions(r.ctx, planedb.ListRegionsParams{
		AfterName: page.After,
		MaxRows:   rowLimit(page.Limit),
	})
	return each(rows, err, region)
}

// RegionByCredential implements cloud.Reader.
func (r Reader) RegionByCredential(hash cloud.SecretHash) (cloud.Region, error) {
	row, err := r.q.GetRegionByCredential(r.ctx, string(hash))
	return region(row), missing(err, "no region has that credential")
}

// CreateRegion makes the region's link with it.
func (w Writer) CreateRegion(r cloud.Region) error {
	n, err := w.q.CreateRegion(w.ctx, planedb.CreateRegionParams{
		Name:      r.Name,
		Url:       r.URL,
		CreatedAt: micros(r.CreatedAt),
	})
	if err := changed(n, err, cloud.Conflict("there is a region named %q already", r.Name)); err != nil {
		return err
	}
	return w.PutLink(cloud.Link{Region: r.Name})
}

// CreateRegionCredential implements cloud.Writer.
func (w Writer) CreateRegionCredential(c cloud.RegionCredential) error {
	n, err := w.q.CreateRegionCredential(w.ctx, planedb.CreateRegionCredentialParams{
		ID:        string(c.ID),
		Region:    c.Region,
		Hash:      string(c.Hash),
		CreatedAt: micros(c.CreatedAt),
	})
	return changed(n, err, cloud.Conflict("this credential exists already"))
}

// SetRegionURL implements cloud.Writer.
func (w Writer) SetRegionURL(name, url string) error {
	n, err := w.q.SetRegionURL(w.ctx, planedb.SetRegionURLParams{Url: url, Name: name})
	return changed(n, err, cloud.NotFound("there is no region named %q", name))
}
