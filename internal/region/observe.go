package region

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

const (
	// keepChanges and keepFor are how far back a plane may be and still be
	// brought up to date without a snapshot: so many changes, or so long,
	// whichever reaches further. Only deletions need to be kept for that, as
	// tombstones; what there is is found by its rev.
	keepChanges = 100_000
	keepFor     = time.Hour
	// pruneEvery is how many burials may pass before old tombstones are looked
	// for again.
	pruneEvery = 1000
	knownPage  = 1000
)

// Known implements engine.Sink. It reads page by page, so that no transaction
// is open while the engine thinks.
func (r *Region) Known(ctx context.Context) iter.Seq2[cloud.Object, error] {
	return func(yield func(cloud.Object, error) bool) {
		var after cloud.ObjectKey
		for {
			var page []cloud.Object
			err := r.store.Read(ctx, func(tx cloud.RegionReader) (err error) {
				page, err = tx.Objects(after, knownPage)
				return err
			})
			if err != nil {
				yield(cloud.Object{}, fmt.Errorf("list what the region knows: %w", err))
				return
			}
			for _, o := range page {
				if !yield(o, nil) {
					return
				}
			}
			if len(page) < knownPage {
				return
			}
			after = page[len(page)-1].ObjectKey
		}
	}
}

// Observe implements engine.Sink. ErrFenced once the region is.
func (r *Region) Observe(ctx context.Context, batch engine.Batch) error {
	// The source spoke before the batch was written, however long that takes.
	at := r.now()
	if r.fenced.Load() {
		return ErrFenced
	}
	if batch.Source != "" {
		if err := checkSource(batch.Source); err != nil {
			return err
		}
	}
	observed, err := encode(batch)
	if err != nil {
		return err
	}
	prune := r.pruningDue()
	var changes, buried int
	err = r.store.Write(ctx, func(w cloud.RegionWriter) error {
		id, err := w.Identity()
		if err != nil {
			return err
		}
		s := stream{w: w, id: id}
		for _, o := range observed {
			if err := s.put(o); err != nil {
				return err
			}
		}
		for _, key := range batch.Gone {
			if err := s.bury(key, at); err != nil {
				return err
			}
		}
		changes, buried = s.changes, s.buried
		if prune {
			if err := s.prune(r.keep, at.Add(-keepFor)); err != nil {
				return err
			}
		}
		return s.commit()
	})
	if err != nil {
		return fmt.Errorf("record a batch of %d observations: %w", batch.Len(), err)
	}
	if prune {
		r.pruned()
	}
	r.noteBurials(buried)
	if batch.Source != "" {
		r.note(batch.Source, at)
	}
	if changes > 0 {
		select {
		case r.changed <- struct{}{}:
		default: // the receiver has not yet taken note of an earlier change
		}
	}
	return nil
}

// encode writes the batch's reports in the form in which they are stored,
// digested and sent: compact JSON, the same for the same report.
func encode(batch engine.Batch) ([]cloud.Object, error) {
	if batch.Len() > engine.MaxBatch {
		return nil, cloud.Invalid("a batch speaks of at most %d things; got %d", engine.MaxBatch, batch.Len())
	}
	objects := make([]cloud.Object, 0, len(batch.Clusters)+len(batch.Instances))
	for _, c := range batch.Clusters {
		o, err := encodeReport(cloud.KindCluster, c.ID, c.ClusterReport, cloud.ParseClusterReport)
		if err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	for _, i := range batch.Instances {
		o, err := encodeReport(cloud.KindInstance, i.ID, i.InstanceReport, cloud.ParseInstanceReport)
		if err != nil {
			return nil, err
		}
		objects = append(objects, o)
	}
	return objects, nil
}

func encodeReport[R any](kind cloud.ObjectKind, id cloud.ID, report R, parse func([]byte) (R, error)) (cloud.Object, error) {
	if parsed, err := cloud.ParseID(string(id)); err != nil || parsed != id {
		return cloud.Object{}, cloud.Invalid("the id of the %s %q is no UUID in lower case", kind, id)
	}
	body, err := json.Marshal(report)
	if err != nil {
		return cloud.Object{}, fmt.Errorf("encode %s %s: %w", kind, id, err)
	}
	if len(body) > cloud.MaxObjectBody {
		return cloud.Object{}, cloud.Invalid("the report of %s %s is over %d bytes", kind, id, cloud.MaxObjectBody)
	}
	if _, err := parse(body); err != nil {
		return cloud.Object{}, fmt.Errorf("%s %s: %w", kind, id, err)
	}
	return cloud.Object{ObjectKey: cloud.ObjectKey{Kind: kind, ID: id}, Body: body}, nil
}

// stream applies observations to a region's stream of changes within one
// transaction: every change of an object takes the next seq as its rev.
type stream struct {
	w       cloud.RegionWriter
	id      cloud.RegionIdentity
	dirty   bool // id differs from what is stored
	changes int
	buried  int
}

func (s *stream) put(o cloud.Object) error {
	before, err := s.w.Object(o.ObjectKey)
	switch {
	case cloud.CodeOf(err) == cloud.CodeNotFound:
	case err != nil:
		return err
	case bytes.Equal(before.Body, o.Body):
		return nil
	default:
		s.id.Digest.Remove(before)
	}
	o.Rev = s.next()
	s.id.Digest.Add(o)
	return s.w.PutObject(o)
}

func (s *stream) bury(key cloud.ObjectKey, at time.Time) error {
	before, err := s.w.Object(key)
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	s.id.Digest.Remove(before)
	s.buried++
	return s.w.BuryObject(cloud.Tombstone{ObjectKey: key, Rev: s.next()}, at)
}

func (s *stream) next() uint64 {
	s.id.Seq++
	s.dirty = true
	s.changes++
	return s.id.Seq
}

// prune forgets the tombstones that are neither among the last changes nor
// since that time. A plane that is behind the floor needs a snapshot to learn
// what is gone. The wall clock decides about no more than that: the floor says
// what is kept, whatever the time.
func (s *stream) prune(keep uint64, since time.Time) error {
	floor, err := s.w.PruneTombstones(s.id.Seq-min(s.id.Seq, keep), since)
	if floor > s.id.Floor {
		s.id.Floor = floor
		s.dirty = true
	}
	return err
}

func (s *stream) commit() error {
	if !s.dirty {
		return nil
	}
	return s.w.SetIdentity(s.id)
}

func (r *Region) pruningDue() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.unpruned >= pruneEvery
}

func (r *Region) pruned() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unpruned = 0
}

func (r *Region) noteBurials(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unpruned += n
}
