package postgres

import (
	"context"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
	"github.com/penstock-cloud/penstock/internal/store/postgres/batchdb"
	"github.com/penstock-cloud/penstock/internal/store/rows"
)

// writer is rows.Writer where PostgreSQL has to lock what is decided by, or can
// do a batch in one statement.
type writer struct {
	rows.Writer
	ctx   context.Context
	batch *batchdb.Queries
}

func newWriter(ctx context.Context, tx rows.DB) writer {
	return writer{rows.NewWriter(ctx, tx), ctx, batchdb.New(tx)}
}

// Link implements cloud.Reader. It holds the link: of two messages of one
// region that reach two processes, one waits until the other is done.
func (w writer) Link(region string) (cloud.Link, error) {
	if err := w.batch.LockLink(w.ctx, region); err != nil {
		return cloud.Link{}, err
	}
	return w.Writer.Link(region)
}

// Outcome implements cloud.Reader. It holds the key: of two equal requests one
// waits, and finds what the other one did. It holds what it finds as well, which
// makes the commit wait for the standby as the first one's was to: that one may
// have been given up, or the server started anew, before the standby had it.
func (w writer) Outcome(caller cloud.ID, key string, now time.Time) (cloud.Outcome, error) {
	if err := w.batch.LockName(w.ctx, "outcome "+string(caller)+" "+key); err != nil {
		return cloud.Outcome{}, err
	}
	if err := w.batch.LockOutcome(w.ctx, batchdb.LockOutcomeParams{Caller: string(caller), Key: key}); err != nil {
		return cloud.Outcome{}, err
	}
	return w.Writer.Outcome(caller, key, now)
}

// SigningKeys implements cloud.Reader. It holds them, so that no two processes
// both find that one has to be made.
func (w writer) SigningKeys() ([]cloud.SigningKey, error) {
	if err := w.batch.LockName(w.ctx, "signing keys"); err != nil {
		return nil, err
	}
	return w.Writer.SigningKeys()
}

// StoredObjects implements cloud.Reader.
func (w writer) StoredObjects(region string, keys []cloud.ObjectKey) (map[cloud.ObjectKey]cloud.StoredObject, error) {
	kinds, ids := columns(keys)
	found, err := w.batch.ListStoredObjects(w.ctx, batchdb.ListStoredObjectsParams{Kinds: kinds, Ids: ids, Region: region})
	if err != nil {
		return nil, err
	}
	objects := make(map[cloud.ObjectKey]cloud.StoredObject, len(found))
	for _, row := range found {
		o := rows.StoredObject(planedb.Object(row))
		objects[o.ObjectKey] = o
	}
	return objects, nil
}

// Owners implements cloud.Reader.
func (w writer) Owners(keys []cloud.ObjectKey) (map[cloud.ObjectKey]string, error) {
	kinds, ids := columns(keys)
	found, err := w.batch.ListOwners(w.ctx, batchdb.ListOwnersParams{Kinds: kinds, Ids: ids})
	if err != nil {
		return nil, err
	}
	owners := make(map[cloud.ObjectKey]string, len(found))
	for _, row := range found {
		owners[cloud.ObjectKey{Kind: cloud.ObjectKind(row.Kind), ID: cloud.ID(row.ID)}] = row.Region
	}
	return owners, nil
}

// KnownOrganizations implements cloud.Reader.
func (w writer) KnownOrganizations(ids []cloud.ID) (map[cloud.ID]bool, error) {
	found, err := w.batch.ListKnownOrganizations(w.ctx, texts(ids))
	if err != nil {
		return nil, err
	}
	known := make(map[cloud.ID]bool, len(found))
	for _, id := range found {
		known[cloud.ID(id)] = true
	}
	return known, nil
}

// PutObjects implements cloud.Writer.
func (w writer) PutObjects(incarnation, snapshot cloud.ID, objects []cloud.StoredObject) error {
	p := batchdb.PutObjectsParams{Incarnation: string(incarnation), SnapshotID: string(snapshot)}
	for _, o := range objects {
		row, err := rows.ObjectParams(incarnation, snapshot, o)
		if err != nil {
			return err
		}
		p.Regions = append(p.Regions, row.Region)
		p.Kinds = append(p.Kinds, row.Kind)
		p.Ids = append(p.Ids, row.ID)
		p.OrganizationIds = append(p.OrganizationIds, row.OrganizationID)
		p.ProjectIds = append(p.ProjectIds, row.ProjectID)
		p.Revs = append(p.Revs, row.Rev)
		p.Bodies = append(p.Bodies, row.Body)
		p.States = append(p.States, row.State)
		p.StateSinces = append(p.StateSinces, row.StateSince)
		p.UpdatedAts = append(p.UpdatedAts, row.UpdatedAt)
		p.Helds = append(p.Helds, row.Held)
	}
	if len(objects) == 0 {
		return nil
	}
	return w.batch.PutObjects(w.ctx, p)
}

// DeleteObjects implements cloud.Writer.
func (w writer) DeleteObjects(region string, keys []cloud.ObjectKey) error {
	if len(keys) == 0 {
		return nil
	}
	kinds, ids := columns(keys)
	return w.batch.DeleteObjects(w.ctx, batchdb.DeleteObjectsParams{Kinds: kinds, Ids: ids, Region: region})
}

// TouchFleet implements cloud.Writer.
func (w writer) TouchFleet(organizations []cloud.ID) error {
	return w.batch.TouchFleets(w.ctx, texts(organizations))
}

func texts(ids []cloud.ID) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = string(id)
	}
	return texts
}

func columns(keys []cloud.ObjectKey) (kinds, ids []string) {
	kinds, ids = make([]string, len(keys)), make([]string, len(keys))
	for i, key := range keys {
		kinds[i], ids[i] = string(key.Kind), string(key.ID)
	}
	return kinds, ids
}
