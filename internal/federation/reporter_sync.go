package federation

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

// How a message is filled, which in all has at most MaxMessage bytes.
const (
	maxSourceBytes = 1 << 20
	maxDeltaBytes  = 2 << 20 // of changes, beside the sources
	maxPageBytes   = 7 << 19
	// envelope is over what an object takes beside its body, and a source
	// beside its name.
	envelope = 160
)

// sync sends the next changes, or a heartbeat.
func (r *Reporter) sync(ctx context.Context) error {
	message, seq, err := r.delta(ctx)
	if err != nil || r.state != ReporterSyncing {
		return err
	}
	answer, err := r.plane.sync(ctx, message)
	if err != nil {
		r.unanswered = r.unanswered || message.To > message.From
		return fmt.Errorf("sync from %d to %d: %w", message.From, message.To, err)
	}
	r.unanswered = false
	r.noteAnswer(ctx, answer)
	// Changes that the plane took note of without going on are not pressed on
	// it at once.
	ignored := message.To > message.From && answer.AppliedSeq <= message.From
	r.applied = answer.AppliedSeq
	if answer.Outcome == wire.SyncAnswerOutcomeResync {
		r.log.WarnContext(ctx, "the plane's copy does not fit what was sent; it gets a snapshot",
			"from", message.From, "to", message.To, "applied", answer.AppliedSeq)
		r.state = ReporterSnapshot
		return nil
	}
	if message.Digest != nil {
		r.digestDue = r.now().Add(digestEvery)
	}
	r.backlog = r.applied < seq && !ignored
	return r.reportAudit(ctx)
}

// delta makes the next message of what the plane does not have yet, and tells
// the seq that the region is at. It leaves the state for another where the
// plane cannot be brought up to date by changes.
func (r *Reporter) delta(ctx context.Context) (message wire.SyncRequest, seq uint64, err error) {
	select {
	case <-r.origin.Changed(): // what was committed up to now is read below
	default:
	}
	var id cloud.RegionIdentity
	var batch changes
	err = r.origin.Read(ctx, func(tx cloud.RegionReader) (err error) {
		batch = changes{to: r.applied}
		if id, err = tx.Identity(); err != nil {
			return err
		}
		// After an unanswered message a heartbeat finds out where the plane is.
		if r.unanswered || r.applied < id.Floor || r.applied > id.Seq {
			return nil
		}
		batch, err = readChanges(tx, r.applied, id.Seq)
		return err
	})
	if err != nil {
		return message, 0, fmt.Errorf("read the region's changes after %d: %w", r.applied, err)
	}
	switch {
	case id.Incarnation != r.incarnation:
		r.state = ReporterConnecting
	case r.applied > id.Seq:
		r.state = ReporterConnecting
		return message, 0, fmt.Errorf("the plane has applied changes up to %d, but this region's database has only %d", r.applied, id.Seq)
	case r.applied < id.Floor:
		r.log.InfoContext(ctx, "the plane is too far behind for changes; it gets a snapshot", "applied", r.applied, "floor", id.Floor)
		r.state = ReporterSnapshot
	}
	message = r.message(r.applied, batch)
	message.Seq = &id.Seq
	if batch.to == id.Seq && !r.now().Before(r.digestDue) {
		digest := toWireDigest(id.Digest)
		message.Digest = &digest
	}
	return message, id.Seq, nil
}

// heartbeat tells the plane who was heard, and that nothing has changed
// beyond seq.
func (r *Reporter) heartbeat(ctx context.Context, seq uint64) (wire.SyncAnswer, error) {
	answer, err := r.plane.sync(ctx, r.message(seq, changes{to: seq}))
	if err != nil {
		return answer, fmt.Errorf("heartbeat at %d: %w", seq, err)
	}
	r.noteAnswer(ctx, answer)
	return answer, nil
}

func (r *Reporter) message(from uint64, c changes) wire.SyncRequest {
	clock := r.now().UnixMilli()
	m := wire.SyncRequest{
		Epoch: r.epoch, Nonce: r.nonce, From: from, To: c.to, ClockMs: &clock,
		Sources:    toWireSources(r.origin.Sources(), c.sources),
		Upserts:    orEmpty(c.upserts),
		Tombstones: orEmpty(c.tombstones),
	}
	if r.grants != nil {
		revision := r.grants.Revision()
		m.GrantsRevision = &revision
	}
	return m
}

func (r *Reporter) noteAnswer(ctx context.Context, answer wire.SyncAnswer) {
	r.accepted(ctx)
	now := r.now()
	r.nonce, r.audit.last = answer.Nonce, answer.AuditLast
	if answer.Grants != nil && r.grants != nil {
		if err := r.grants.Apply(ctx, fromWireChanges(*answer.Grants)); err != nil {
			r.log.WarnContext(ctx, "changes of grants could not be written down; the plane will tell of them again", "error", err)
		}
	}
	r.due = now.Add(min(max(time.Duration(answer.NextInMs)*time.Millisecond, minPace), maxPace))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status.LastSync = now
}

// changes are those of one message.
type changes struct {
	to         uint64
	upserts    []wire.Object
	tombstones []wire.Tombstone
	sources    map[string]bool // that vouch for the upserts
}

// readChanges reads the changes after a seq, as many as fit into a message.
// seq is what the region is at.
func readChanges(tx cloud.RegionReader, after, seq uint64) (changes, error) {
	objects, tombstones, err := tx.Changes(after, maxBatch)
	if err != nil {
		return changes{}, err
	}
	c := changes{to: after, sources: make(map[string]bool)}
	all := len(objects)+len(tombstones) < maxBatch
	for size := envelope; len(objects)+len(tombstones) > 0; size += envelope {
		if len(tombstones) == 0 || len(objects) > 0 && objects[0].Rev < tombstones[0].Rev {
			if size += len(objects[0].Body); size > maxDeltaBytes {
				return c, nil
			}
			c.to = objects[0].Rev
			c.upserts = append(c.upserts, toWireObject(objects[0]))
			c.sources[sourceOf(objects[0])] = true
			objects = objects[1:]
		} else {
			c.to = tombstones[0].Rev
			c.tombstones = append(c.tombstones, toWireTombstone(tombstones[0]))
			tombstones = tombstones[1:]
		}
	}
	if all {
		c.to = seq
	}
	return c, nil
}

// sourceOf reads who vouches for an object; "" if its body does not say.
func sourceOf(o cloud.Object) string {
	var report struct {
		Source string `json:"source"`
	}
	_ = json.Unmarshal(o.Body, &report) // it was checked when it was recorded
	return report.Source
}

// toWireSources lists the sources, as many as fit: first those that are needed
// since the message has objects of theirs, then those heard last. One that is
// needed and was not heard since this process started is told with the
// greatest age, for nothing less is known of it.
func toWireSources(ages map[string]time.Duration, needed map[string]bool) []wire.Source {
	age := func(name string) time.Duration {
		if age, heard := ages[name]; heard {
			return min(age, maxSourceAge)
		}
		return maxSourceAge
	}
	names := slices.Collect(maps.Keys(ages))
	for name := range needed {
		if _, heard := ages[name]; !heard && name != "" {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if needed[a] != needed[b] {
			return map[bool]int{true: -1, false: 1}[needed[a]]
		}
		return cmp.Or(cmp.Compare(age(a), age(b)), cmp.Compare(a, b))
	})
	sources := make([]wire.Source, 0, min(len(names), maxSources))
	size := 0
	for _, name := range names[:cap(sources)] {
		quoted, err := json.Marshal(name)
		if size += len(quoted) + envelope; err != nil || size > maxSourceBytes && !needed[name] {
			break
		}
		// Rounded up: an age is never told as less than it is.
		ms := (age(name) + time.Millisecond - 1).Milliseconds()
		sources = append(sources, wire.Source{Name: name, AgeMs: min(ms, maxSourceAge.Milliseconds())})
	}
	return sources
}

func toWireObject(o cloud.Object) wire.Object {
	return wire.Object{Kind: wire.Kind(o.Kind), ID: string(o.ID), Rev: o.Rev, Body: o.Body}
}

func toWireTombstone(t cloud.Tombstone) wire.Tombstone {
	return wire.Tombstone{Kind: wire.Kind(t.Kind), ID: string(t.ID), Rev: t.Rev}
}

func toWireDigest(d cloud.Digest) wire.Digest {
	return wire.Digest{Count: d.Count, Sum: d.Hex()}
}

// orEmpty is s as JSON wants it: an array and never null.
func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
