package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

const (
	// maxAuditBytes is how much a message is filled with, beside its envelope.
	maxAuditBytes = MaxAuditMessage - 1<<10
	// maxAuditPause bounds the pause after messages of the audit that failed.
	maxAuditPause = 10 * time.Minute
)

// auditReport is how far the region's audit has come, as its Reporter knows.
type auditReport struct {
	last     *string   // what came to the plane last, as it says; nil if it takes none
	backlog  bool      // there is more to send at once
	failures int       // since the plane last took a message
	due      time.Time // after a failure, when to try again
}

// reportAudit sends the next entries of the audit, if there are any, after a
// sync that was accepted. Its troubles are its own: they hold up neither changes
// nor heartbeats, by which the region's health is known, but for as long as one
// message takes. Who is fenced learns that from the next sync.
func (r *Reporter) reportAudit(ctx context.Context) error {
	r.audit.backlog = false
	if r.audit.last == nil || r.now().Before(r.audit.due) {
		return nil
	}
	err := r.sendAudit(ctx, cloud.ID(*r.audit.last))
	if err == nil {
		r.audit.failures = 0
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	pause := r.auditPause(err)
	r.audit.failures++
	r.audit.due = r.now().Add(pause)
	r.log.WarnContext(ctx, "bringing the audit to the plane failed and is tried again; nothing of it is lost meanwhile",
		"error", err, "failures", r.audit.failures, "pause", pause)
	return nil
}

// auditPause is the backoff, which gets longer where trying again does not help.
func (r *Reporter) auditPause(err error) time.Duration {
	pause := r.backoff(r.audit.failures, err)
	if inDoubt(err) {
		return pause
	}
	return max(pause, min(slowRetry<<min(r.audit.failures, 10), maxAuditPause))
}

// sendAudit sends what follows the entry that the plane had last.
func (r *Reporter) sendAudit(ctx context.Context, last cloud.ID) error {
	next, err := r.nextAudit(ctx, last)
	if err != nil {
		return fmt.Errorf("read the region's audit: %w", err)
	}
	if next.from != next.stream.Reported {
		if next.from < next.stream.Reported {
			r.log.WarnContext(ctx, "the plane has less of the audit than before; it gets it again", "had", next.stream.Reported, "has", next.from)
		}
		if err := r.origin.AuditReported(ctx, next.from); err != nil {
			return err
		}
	}
	if next.to == next.from {
		return nil
	}
	answer, err := r.plane.reportAudit(ctx, next.message)
	if err != nil {
		return fmt.Errorf("audit from %d to %d: %w", next.from, next.to, err)
	}
	r.audit.last = &answer.Last
	if answer.Ignored > 0 {
		r.log.WarnContext(ctx, "the plane does not keep some entries of the audit: of organizations that it does not know "+
			"or that may not use this region, or beyond its bounds", "count", answer.Ignored, "from", next.from, "to", next.to)
	}
	if answer.Last != next.message.Upto {
		return nil // the next sync says where to go on
	}
	r.audit.backlog = next.to < next.stream.Seq
	return r.origin.AuditReported(ctx, next.to)
}

// auditMessage is a message of the audit, from a seq, up to another.
type auditMessage struct {
	message  wire.AuditReport
	from, to uint64 // equal if there is nothing to send
	stream   cloud.AuditStream
}

// nextAudit makes the message of what follows the entry that the plane had last;
// of everything, if the region does not know that one.
func (r *Reporter) nextAudit(ctx context.Context, last cloud.ID) (next auditMessage, err error) {
	var entries []cloud.RegionAuditEntry
	err = r.origin.Read(ctx, func(tx cloud.RegionReader) error {
		next = auditMessage{message: wire.AuditReport{Epoch: r.epoch, Entries: []wire.AuditEntry{}}}
		if next.stream, err = tx.AuditStream(); err != nil {
			return err
		}
		switch next.from, err = tx.AuditSeq(last); {
		case err == nil:
			next.message.After = string(last)
		case cloud.CodeOf(err) != cloud.CodeNotFound:
			return err
		}
		entries, err = tx.AuditAfter(next.from, maxAuditEntries)
		return err
	})
	if err != nil {
		return next, err
	}
	next.to = next.from
	return next, r.fillAudit(ctx, &next, entries)
}

// fillAudit puts into a message as many of the entries as fit.
func (r *Reporter) fillAudit(ctx context.Context, next *auditMessage, entries []cloud.RegionAuditEntry) error {
	size := 0
	for _, e := range entries {
		if err := e.Check(); err != nil { // the plane would not keep it
			r.log.ErrorContext(ctx, "an entry of the audit is not brought to the plane", "id", e.ID, "error", err)
		} else {
			entry := toWireAudit(e.AuditEntry)
			text, err := json.Marshal(entry)
			if err != nil {
				return err
			}
			if size += len(text) + len(","); size > maxAuditBytes {
				return nil
			}
			next.message.Entries = append(next.message.Entries, entry)
		}
		next.message.Upto, next.to = string(e.ID), e.Seq
	}
	return nil
}

func toWireAudit(e cloud.AuditEntry) wire.AuditEntry {
	return wire.AuditEntry{
		ID: string(e.ID), AtUs: e.At.UnixMicro(), OrganizationID: string(e.OrganizationID),
		ActorKind: string(e.Actor.Kind), ActorID: e.Actor.ID, Action: e.Action, Target: e.Target,
		Before: rawOrNil(e.Before), After: rawOrNil(e.After),
		RequestID: orNilText(e.Origin.RequestID), Address: orNilText(e.Origin.Address),
	}
}

func rawOrNil(text string) *json.RawMessage {
	if text == "" {
		return nil
	}
	raw := json.RawMessage(text)
	return &raw
}

func orNilText(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
