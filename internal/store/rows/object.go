package rows

import (
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
)

// StoredObject reads a row.
func StoredObject(row planedb.Object) cloud.StoredObject {
	return cloud.StoredObject{
		Object: cloud.Object{
			ObjectKey: cloud.ObjectKey{Kind: cloud.ObjectKind(row.Kind), ID: cloud.ID(row.ID)},
			Rev:       uint64(row.Rev),
			Body:      []byte(row.Body),
		},
		Region:         row.Region,
		OrganizationID: cloud.ID(row.OrganizationID),
		ProjectID:      cloud.ID(row.ProjectID),
		State:          row.State,
		StateSince:     instant(row.StateSince),
		UpdatedAt:      instant(row.UpdatedAt),
		Held:           cloud.HeldReason(row.Held),
		MissingSince:   instant(row.MissingSince),
	}
}

// listed reads as much of an object as a list shows.
func listed(row planedb.ListObjectsRow) cloud.StoredObject {
	return cloud.StoredObject{
		Object: cloud.Object{
			ObjectKey: cloud.ObjectKey{ID: cloud.ID(row.ID)},
			Body:      []byte(row.Body),
		},
		Region:     row.Region,
		StateSince: instant(row.StateSince),
		UpdatedAt:  instant(row.UpdatedAt),

		MissingSince: instant(row.MissingSince),
	}
}

// Instance implements cloud.Reader.
func (r Reader) Instance(organization, id cloud.ID) (cloud.Instance, error) {
	row, err := r.q.GetObject(r.ctx, planedb.GetObjectParams{
		OrganizationID: string(organization),
		Kind:           string(cloud.KindInstance),
		ID:             string(id),
	})
	if err != nil {
		return cloud.Instance{}, missing(err, "the organization has no instance of that id")
	}
	return cloud.NewInstance(StoredObject(row))
}

// Instances implements cloud.Reader.
func (r Reader) Instances(organization, project cloud.ID, page cloud.Page) ([]cloud.Instance, error) {
	rows, err := r.objects(cloud.KindInstance, organization, project, page)
	return try(rows, err, func(row planedb.ListObjectsRow) (cloud.Instance, error) { return cloud.NewInstance(listed(row)) })
}

// Clusters implements cloud.Reader.
func (r Reader) Clusters(organization, project cloud.ID, page cloud.Page) ([]cloud.Cluster, error) {
	rows, err := r.objects(cloud.KindCluster, organization, project, page)
	return try(rows, err, func(row planedb.ListObjectsRow) (cloud.Cluster, error) { return cloud.NewCluster(listed(row)) })
}

func (r Reader) objects(kind cloud.ObjectKind, organization, project cloud.ID, page cloud.Page) ([]planedb.ListObjectsRow, error) {
	if project == "" {
		return r.q.ListObjects(r.ctx, planedb.ListObjectsParams{
			OrganizationID: string(organization),
			Kind:           string(kind),
			AfterID:        page.After,
			MaxRows:        rowLimit(page.Limit),
		})
	}
	rows, err := r.q.ListObjectsOfProject(r.ctx, planedb.ListObjectsOfProjectParams{
		OrganizationID: string(organization),
		ProjectID:      string(project),
		Kind:           string(kind),
		AfterID:        page.After,
		MaxRows:        rowLimit(page.Limit),
	})
	return each(rows, err, func(row planedb.ListObjectsOfProjectRow) planedb.ListObjectsRow { return planedb.ListObjectsRow(row) })
}

// StoredObjects implements cloud.Reader.
func (r Reader) StoredObjects(region string, keys []cloud.ObjectKey) (map[cloud.ObjectKey]cloud.StoredObject, error) {
	found := make(map[cloud.ObjectKey]cloud.StoredObject, len(keys))
	for _, key := range keys {
		row, err := r.q.GetStoredObject(r.ctx, planedb.GetStoredObjectParams{
			Region: region,
			Kind:   string(key.Kind),
			ID:     string(key.ID),
		})
		switch {
		case err == nil:
			found[key] = StoredObject(row)
		case !errors.Is(err, pgx.ErrNoRows):
			return nil, err
		}
	}
	return found, nil
}

// Owners implements cloud.Reader.
func (r Reader) Owners(keys []cloud.ObjectKey) (map[cloud.ObjectKey]string, error) {
	owners := make(map[cloud.ObjectKey]string)
	for _, key := range keys {
		region, err := r.q.GetObjectOwner(r.ctx, planedb.GetObjectOwnerParams{Kind: string(key.Kind), ID: string(key.ID)})
		switch {
		case err == nil:
			owners[key] = region
		case !errors.Is(err, pgx.ErrNoRows):
			return nil, err
		}
	}
	return owners, nil
}

// CountObjects implements cloud.Reader.
func (r Reader) CountObjects(region string) (map[cloud.ObjectKind]int64, error) {
	rows, err := r.q.CountObjects(r.ctx, region)
	if err != nil {
		return nil, err
	}
	counts := make(map[cloud.ObjectKind]int64, len(rows))
	for _, row := range rows {
		counts[cloud.ObjectKind(row.Kind)] = row.Count
	}
	return counts, nil
}

// PutObjects implements cloud.Writer.
func (w Writer) PutObjects(incarnation, snapshot cloud.ID, objects []cloud.StoredObject) error {
	for _, o := range objects {
		row, err := ObjectParams(incarnation, snapshot, o)
		if err != nil {
			return err
		}
		if err := w.q.PutObject(w.ctx, row); err != nil {
			return err
		}
	}
	return nil
}

// ObjectParams writes a row. CodeInvalid for a rev that no column can hold.
func ObjectParams(incarnation, snapshot cloud.ID, o cloud.StoredObject) (planedb.PutObjectParams, error) {
	return planedb.PutObjectParams{
		Region:         o.Region,
		Kind:           string(o.Kind),
		ID:             string(o.ID),
		Incarnation:    string(incarnation),
		SnapshotID:     string(snapshot),
		OrganizationID: string(o.OrganizationID),
		ProjectID:      string(o.ProjectID),
		Rev:            int64(o.Rev),
		Body:           string(o.Body),
		State:          o.State,
		StateSince:     micros(o.StateSince),
		UpdatedAt:      micros(o.UpdatedAt),
		Held:           string(o.Held),
	}, fits(o.Rev)
}

// DeleteObjects implements cloud.Writer.
func (w Writer) DeleteObjects(region string, keys []cloud.ObjectKey) error {
	for _, key := range keys {
		if err := w.q.DeleteObject(w.ctx, planedb.DeleteObjectParams{
			Region: region,
			Kind:   string(key.Kind),
			ID:     string(key.ID),
		}); err != nil {
			return err
		}
	}
	return nil
}

// CountUnseen implements cloud.Writer.
func (w Writer) CountUnseen(region string, snapshot cloud.ID) (int64, error) {
	return w.q.CountUnseenObjects(w.ctx, planedb.CountUnseenObjectsParams{Region: region, SnapshotID: string(snapshot)})
}

// HoldUnseen implements cloud.Writer.
func (w Writer) HoldUnseen(region string, snapshot cloud.ID, since time.Time) ([]cloud.ID, error) {
	organizations, err := w.unseenOrganizations(region, snapshot)
	if err != nil || len(organizations) == 0 {
		return nil, err
	}
	return organizations, w.q.HoldUnseenObjects(w.ctx, planedb.HoldUnseenObjectsParams{
		MissingSince: micros(since),
		Region:       region,
		SnapshotID:   string(snapshot),
	})
}

// DeleteUnseen implements cloud.Writer.
func (w Writer) DeleteUnseen(region string, snapshot cloud.ID) ([]cloud.ID, error) {
	organizations, err := w.unseenOrganizations(region, snapshot)
	if err != nil || len(organizations) == 0 {
		return nil, err
	}
	return organizations, w.q.DeleteUnseenObjects(w.ctx, planedb.DeleteUnseenObjectsParams{
		Region:     region,
		SnapshotID: string(snapshot),
	})
}

func (w Writer) unseenOrganizations(region string, snapshot cloud.ID) ([]cloud.ID, error) {
	rows, err := w.q.ListUnseenOrganizations(w.ctx, planedb.ListUnseenOrganizationsParams{
		Region:     region,
		SnapshotID: string(snapshot),
	})
	return each(rows, err, toID)
}

// DeleteMissing implements cloud.Writer.
func (w Writer) DeleteMissing(region string, until time.Time) ([]cloud.ID, error) {
	rows, err := w.q.ListMissingOrganizations(w.ctx, planedb.ListMissingOrganizationsParams{
		Region: region,
		Until:  micros(until),
	})
	organizations, err := each(rows, err, toID)
	if err != nil || len(organizations) == 0 {
		return nil, err
	}
	return organizations, w.q.DeleteMissingObjects(w.ctx, planedb.DeleteMissingObjectsParams{
		Region: region,
		Until:  micros(until),
	})
}

func toID(id string) cloud.ID { return cloud.ID(id) }

// SetBackMissing implements cloud.Writer.
func (w Writer) SetBackMissing(region string, by time.Duration) error {
	return w.q.SetBackMissingObjects(w.ctx, planedb.SetBackMissingObjectsParams{Region: region, Span: by.Microseconds()})
}
