package federation

import (
	"context"
	"fmt"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

const (
	// attempts is how often a message of a snapshot is tried before all of it
	// is given up: meanwhile a transaction stays open on the region's database.
	attempts = 6
	// maxMismatches is how many snapshots in a row may not match before the
	// stream begins anew.
	maxMismatches = 2
)

// snapshot sends everything that the region has, as of one seq.
func (r *Reporter) snapshot(ctx context.Context) error {
	// The sources first, so that what the pages bring shows with its health.
	if _, err := r.heartbeat(ctx, r.applied); err != nil {
		return err
	}
	var seq uint64
	err := r.origin.Read(ctx, func(tx cloud.RegionReader) error {
		id, err := tx.Identity()
		if err != nil {
			return err
		}
		seq = id.Seq
		return r.sendSnapshot(ctx, tx, id)
	})
	if isMismatch(err) {
		return r.mismatched(ctx, err)
	}
	if err != nil {
		return fmt.Errorf("snapshot at %d: %w", seq, err)
	}
	r.log.InfoContext(ctx, "the plane has a snapshot", "seq", seq)
	r.state, r.applied = ReporterSyncing, seq
	r.unanswered, r.backlog, r.mismatches = false, true, 0
	r.digestDue = r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.Snapshots++
	return nil
}

// mismatched gives up a snapshot that the plane did not find to be what was
// sent. Within an incarnation the plane keeps rows of a higher rev, so if the
// two disagree about the past only a new one helps.
func (r *Reporter) mismatched(ctx context.Context, mismatch error) error {
	r.mismatches++
	if r.mismatches < maxMismatches {
		return mismatch
	}
	if err := r.origin.Renew(ctx); err != nil {
		return err
	}
	r.mismatches = 0
	r.state = ReporterConnecting
	return fmt.Errorf("the stream begins anew: %w", mismatch)
}

func (r *Reporter) sendSnapshot(ctx context.Context, tx cloud.RegionReader, id cloud.RegionIdentity) error {
	var begun wire.SnapshotBegun
	err := r.persist(ctx, func() (err error) {
		begun, err = r.plane.beginSnapshot(ctx, wire.SnapshotRequest{Epoch: r.epoch, Incarnation: string(id.Incarnation), Seq: id.Seq})
		return err
	})
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	var sent cloud.Digest
	var after cloud.ObjectKey
	for number := 0; ; number++ {
		objects, err := tx.Objects(after, maxObjects)
		if err != nil {
			return fmt.Errorf("read the objects after %s %s: %w", after.Kind, after.ID, err)
		}
		if len(objects) == 0 {
			return r.commitSnapshot(ctx, begun.ID, id.Seq, sent)
		}
		page := wire.SnapshotPage{Epoch: r.epoch}
		for size := 0; len(page.Upserts) < len(objects); {
			o := objects[len(page.Upserts)]
			if size += len(o.Body) + envelope; size > maxPageBytes {
				break
			}
			page.Upserts = append(page.Upserts, toWireObject(o))
			sent.Add(o)
			after = o.ObjectKey
		}
		err = r.persist(ctx, func() error { return r.plane.putPage(ctx, begun.ID, number, page) })
		if err != nil {
			return fmt.Errorf("page %d: %w", number, err)
		}
		if err := r.beatIfDue(ctx); err != nil {
			return err
		}
	}
}

// beatIfDue keeps the region's sources alive at the plane during a snapshot.
func (r *Reporter) beatIfDue(ctx context.Context) error {
	if r.now().Before(r.due) {
		return nil
	}
	return r.persist(ctx, func() error {
		_, err := r.heartbeat(ctx, r.applied)
		return err
	})
}

// commitSnapshot ends a snapshot. If the answer is lost, a heartbeat at the
// snapshot's seq finds out whether the plane is there.
func (r *Reporter) commitSnapshot(ctx context.Context, id string, seq uint64, digest cloud.Digest) error {
	doubt := false
	err := r.persist(ctx, func() error {
		err := r.plane.commitSnapshot(ctx, id, wire.SnapshotCommit{Epoch: r.epoch, Digest: toWireDigest(digest)})
		doubt = doubt || err != nil && inDoubt(err)
		if err == nil || !doubt || !inDoubt(err) && !isNotFound(err) {
			return err
		}
		answer, probeErr := r.heartbeat(ctx, seq)
		if probeErr == nil && answer.Outcome == wire.SyncAnswerOutcomeApplied && answer.AppliedSeq == seq && seq != r.applied {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	r.accepted(ctx)
	return nil
}

// persist tries a message of a snapshot until it is answered, but not for ever.
func (r *Reporter) persist(ctx context.Context, send func() error) error {
	for attempt := range attempts {
		err := send()
		if err == nil || ctx.Err() != nil || !inDoubt(err) || attempt == attempts-1 {
			return err
		}
		pause := r.backoff(attempt, err)
		r.log.WarnContext(ctx, "a message of a snapshot failed and is tried again", "error", err, "pause", pause)
		if err := r.sleep(ctx, pause); err != nil {
			return err
		}
	}
	return nil
}
