package rows

import (
	"errors"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/regiondb"
)

func regionObject(row regiondb.Object) cloud.Object {
	return cloud.Object{
		ObjectKey: cloud.ObjectKey{Kind: cloud.ObjectKind(row.Kind), ID: cloud.ID(row.ID)},
		Rev:       uint64(row.Rev),
		Body:      []byte(row.Body),
	}
}

func tombstone(row regiondb.Tombstone) cloud.Tombstone {
	return cloud.Tombstone{
		ObjectKey: cloud.ObjectKey{Kind: cloud.ObjectKind(row.Kind), ID: cloud.ID(row.ID)},
		Rev:       uint64(row.Rev),
	}
}

// Object implements cloud.RegionReader.
func (r RegionReader) Object(key cloud.ObjectKey) (cloud.Object, error) {
	row, err := r.q.GetObject(r.ctx, regiondb.GetObjectParams{Kind: string(key.Kind), ID: string(key.ID)})
	return regionObject(row), missing(err, "the region has no %s of that id", key.Kind)
}

// Objects implements cloud.RegionReader.
func (r RegionReader) Objects(after cloud.ObjectKey, limit int) ([]cloud.Object, error) {
	rows, err := r.q.ListObjects(r.ctx, regiondb.ListObjectsParams{
		AfterKind: string(after.Kind),
		AfterID:   string(after.ID),
		MaxRows:   rowLimit(limit),
	})
	return each(rows, err, regionObject)
}

// Changes implements cloud.RegionReader.
func (r RegionReader) Changes(after uint64, limit int) ([]cloud.Object, []cloud.Tombstone, error) {
	if after > math.MaxInt64 {
		return nil, nil, nil // beyond every rev
	}
	most := rowLimit(limit)
	rows, err := r.q.ListChangedObjects(r.ctx, regiondb.ListChangedObjectsParams{AfterRev: int64(after), MaxRows: most})
	objects, err := each(rows, err, regionObject)
	if err != nil {
		return nil, nil, err
	}
	stones, err := r.q.ListTombstones(r.ctx, regiondb.ListTombstonesParams{AfterRev: int64(after), MaxRows: most})
	tombstones, err := each(stones, err, tombstone)
	if err != nil {
		return nil, nil, err
	}
	// Each list is long enough by itself; together they end at the limit.
	var o, t int
	for int64(o+t) < most && o+t < len(objects)+len(tombstones) {
		if t == len(tombstones) || o < len(objects) && objects[o].Rev < tombstones[t].Rev {
			o++
		} else {
			t++
		}
	}
	return objects[:o], tombstones[:t], nil
}

// CountObjects implements cloud.RegionReader.
func (r RegionReader) CountObjects() (map[cloud.ObjectKind]int64, error) {
	rows, err := r.q.CountObjects(r.ctx)
	if err != nil {
		return nil, err
	}
	counts := make(map[cloud.ObjectKind]int64, len(rows))
	for _, row := range rows {
		counts[cloud.ObjectKind(row.Kind)] = row.Count
	}
	return counts, nil
}

// PutObject implements cloud.RegionWriter.
func (w RegionWriter) PutObject(o cloud.Object) error {
	if err := fits(o.Rev); err != nil {
		return err
	}
	if err := w.q.PutObject(w.ctx, regiondb.PutObjectParams{
		Kind: string(o.Kind),
		ID:   string(o.ID),
		Rev:  int64(o.Rev),
		Body: string(o.Body),
	}); err != nil {
		return err
	}
	return w.q.DeleteTombstone(w.ctx, regiondb.DeleteTombstoneParams{Kind: string(o.Kind), ID: string(o.ID)})
}

// BuryObject implements cloud.RegionWriter.
func (w RegionWriter) BuryObject(t cloud.Tombstone, at time.Time) error {
	if err := fits(t.Rev); err != nil {
		return err
	}
	n, err := w.q.DeleteObject(w.ctx, regiondb.DeleteObjectParams{Kind: string(t.Kind), ID: string(t.ID)})
	if err := changed(n, err, cloud.NotFound("the region has no %s of that id", t.Kind)); err != nil {
		return err
	}
	return w.q.PutTombstone(w.ctx, regiondb.PutTombstoneParams{
		Kind:     string(t.Kind),
		ID:       string(t.ID),
		Rev:      int64(t.Rev),
		BuriedAt: micros(at),
	})
}

// PruneTombstones implements cloud.RegionWriter.
func (w RegionWriter) PruneTombstones(upTo uint64, since time.Time) (uint64, error) {
	if err := fits(upTo); err != nil {
		return 0, err
	}
	floor, err := w.q.GetPruneFloor(w.ctx, regiondb.GetPruneFloorParams{UpTo: int64(upTo), Since: micros(since)})
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return uint64(floor), w.q.PruneTombstones(w.ctx, floor)
}
