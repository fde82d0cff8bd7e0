package rows

import (
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
)

// CountAside implements cloud.Reader.
func (r Reader) CountAside(region string) (cloud.Aside, error) {
	held, err := r.q.CountHeldObjects(r.ctx, region)
	if err != nil {
		return cloud.Aside{}, err
	}
	missing, err := r.q.CountMissingObjects(r.ctx, region)
	if err != nil {
		return cloud.Aside{}, err
	}
	aside := cloud.Aside{
		Held:         make(map[cloud.HeldReason]int64, len(held)),
		Missing:      missing.Count,
		MissingSince: instant(missing.Since),
	}
	for _, row := range held {
		aside.Held[cloud.HeldReason(row.Held)] = row.Count
	}
	return aside, nil
}

// ObjectsAside implements cloud.Reader.
func (r Reader) ObjectsAside(region string, after cloud.ObjectKey, limit int) ([]cloud.StoredObject, error) {
	rows, err := r.q.ListObjectsAside(r.ctx, planedb.ListObjectsAsideParams{
		Region:    region,
		AfterKind: string(after.Kind),
		AfterID:   string(after.ID),
		MaxRows:   rowLimit(limit),
	})
	return each(rows, err, StoredObject)
}

// ReasonsGone implements cloud.Reader.
func (r Reader) ReasonsGone(region string, limit int) ([]cloud.StoredObject, error) {
	freed, err := r.q.ListFreedObjects(r.ctx, planedb.ListFreedObjectsParams{
		Region:  region,
		Held:    string(cloud.HeldForeignID),
		MaxRows: rowLimit(limit),
	})
	if err != nil || len(freed) == limit {
		return each(freed, err, StoredObject)
	}
	adopted, err := r.q.ListAdoptedObjects(r.ctx, planedb.ListAdoptedObjectsParams{
		Region:  region,
		Held:    string(cloud.HeldUnknownOrganization),
		MaxRows: rowLimit(limit - len(freed)),
	})
	return each(append(freed, adopted...), err, StoredObject)
}

// KnownOrganizations implements cloud.Reader.
func (r Reader) KnownOrganizations(ids []cloud.ID) (map[cloud.ID]bool, error) {
	known := make(map[cloud.ID]bool, len(ids))
	for _, id := range ids {
		exists, err := r.q.OrganizationExists(r.ctx, string(id))
		if err != nil {
			return nil, err
		}
		if exists {
			known[id] = true
		}
	}
	return known, nil
}

// OrganizationsIn implements cloud.Reader.
func (r Reader) OrganizationsIn(region string) ([]cloud.ID, error) {
	rows, err := r.q.ListOrganizationsIn(r.ctx, region)
	return each(rows, err, toID)
}

// AllowObjects implements cloud.Writer.
func (w Writer) AllowObjects(region string, organization cloud.ID) (int64, error) {
	return w.q.AllowObjects(w.ctx, planedb.AllowObjectsParams{
		ForeignID:      string(cloud.HeldForeignID),
		Region:         region,
		OrganizationID: string(organization),
		Denied:         string(cloud.HeldDenied),
	})
}

// DenyObjects implements cloud.Writer.
func (w Writer) DenyObjects(region string, organization cloud.ID) (int64, error) {
	return w.q.DenyObjects(w.ctx, planedb.DenyObjectsParams{
		Denied:         string(cloud.HeldDenied),
		Region:         region,
		OrganizationID: string(organization),
		ForeignID:      string(cloud.HeldForeignID),
	})
}
