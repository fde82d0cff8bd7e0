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

// RegionCredentials implements cloud.Reader.
func (r Reader) RegionCredentials(region string) ([]cloud.RegionCredential, error) {
	rows, err := r.q.ListRegionCredentials(r.ctx, region)
	return each(rows, err, func(row planedb.RegionCredential) cloud.RegionCredential {
		return cloud.RegionCredential{
			ID:        cloud.ID(row.ID),
			Region:    row.Region,
			Hash:      cloud.SecretHash(row.Hash),
			CreatedAt: instant(row.CreatedAt),
		}
	})
}

// DeleteRegionCredential implements cloud.Writer.
func (w Writer) DeleteRegionCredential(region string, id cloud.ID) error {
	n, err := w.q.DeleteRegionCredential(w.ctx, planedb.DeleteRegionCredentialParams{Region: region, ID: string(id)})
	return changed(n, err, cloud.NotFound("region %s has no credential of the id %q", region, id))
}

// Access implements cloud.Reader.
func (r Reader) Access(region string) (cloud.Access, error) {
	row, err := r.q.GetRegion(r.ctx, region)
	if err != nil {
		return cloud.Access{}, missing(err, "there is no region named %q", region)
	}
	rows, err := r.q.ListRegionExceptions(r.ctx, region)
	except, err := each(rows, err, toID)
	return cloud.Access{Closed: row.Closed, Except: except}, err
}

// SetAccess implements cloud.Writer.
func (w Writer) SetAccess(region string, a cloud.Access) error {
	n, err := w.q.SetRegionClosed(w.ctx, planedb.SetRegionClosedParams{Closed: a.Closed, Name: region})
	if err := changed(n, err, cloud.NotFound("there is no region named %q", region)); err != nil {
		return err
	}
	if err := w.q.DeleteRegionExceptions(w.ctx, region); err != nil {
		return err
	}
	for _, id := range a.Except {
		if err := w.q.CreateRegionException(w.ctx, planedb.CreateRegionExceptionParams{
			Region:         region,
			OrganizationID: string(id),
		}); err != nil {
			return err
		}
	}
	return nil
}
