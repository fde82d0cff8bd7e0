package federation

import (
	"context"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

// Bounds on a message of the audit, as api/federation.yaml states them.
const (
	maxAuditEntries = 500
	// MaxAuditMessage bounds the body, in bytes.
	MaxAuditMessage = 1 << 20
)

// auditTaken is what became of a message of the audit, for the answer and the
// log.
type auditTaken struct {
	answer wire.AuditAnswer
	repeat int    // entries that the plane had
	reason string // of the first that was ignored
}

func (t *auditTaken) ignore(reason string) {
	if t.answer.Ignored == 0 {
		t.reason = reason
	}
	t.answer.Ignored++
}

// ReportAudit takes in what was changed at a region. What is wrong with a single
// entry does not hold up the rest: that one is ignored.
func (p *Plane) ReportAudit(ctx context.Context, peer Peer, req wire.AuditReport) (wire.AuditAnswer, error) {
	if err := checkAudit(req); err != nil {
		return wire.AuditAnswer{}, err
	}
	var taken auditTaken
	err := p.store.Write(ctx, func(w cloud.Writer) (err error) {
		taken, err = p.takeAudit(w, peer.Region, req)
		return err
	})
	if err != nil {
		return wire.AuditAnswer{}, err
	}
	if taken.answer.Ignored > 0 {
		p.log.WarnContext(ctx, "entries of a region's audit are not kept", "region", peer.Region,
			"count", taken.answer.Ignored, "reason", taken.reason, "after", req.After, "upto", req.Upto)
	}
	if taken.repeat > 0 {
		p.log.InfoContext(ctx, "entries of a region's audit came again", "region", peer.Region,
			"count", taken.repeat, "after", req.After, "upto", req.Upto)
	}
	return taken.answer, nil
}

func checkAudit(req wire.AuditReport) error {
	if req.After != "" {
		if err := checkID("after", req.After); err != nil {
			return err
		}
	}
	if n := len(req.Entries); n > maxAuditEntries {
		return cloud.Invalid("at most %d entries fit in a message; got %d", maxAuditEntries, n)
	}
	return checkID("upto", req.Upto)
}

// takeAudit appends what the plane does not have, if the message follows what
// came last, or begins at the beginning. Then the plane has all that the region
// has up to the end of the message, whichever of them was put back before.
func (p *Plane) takeAudit(w cloud.Writer, region string, req wire.AuditReport) (auditTaken, error) {
	var taken auditTaken
	link, err := p.link(w, region, req.Epoch)
	if err != nil {
		return taken, err
	}
	taken.answer.Last = string(link.AuditLast)
	if req.After != "" && req.After != taken.answer.Last {
		return taken, nil
	}
	organizations := make(map[cloud.ID]struct{})
	for _, e := range req.Entries {
		organizations[cloud.ID(e.OrganizationID)] = struct{}{}
	}
	gate, err := openGate(w, region, organizations, nil)
	if err != nil {
		return taken, err
	}
	now := p.now()
	for _, e := range req.Entries {
		if err := p.takeEntry(w, gate, &taken, fromWireAudit(region, e, now)); err != nil {
			return taken, err
		}
	}
	link.AuditLast, taken.answer.Last = cloud.ID(req.Upto), req.Upto
	return taken, w.PutLink(link)
}

func (p *Plane) takeEntry(w cloud.Writer, gate gate, taken *auditTaken, e cloud.AuditEntry) error {
	if err := checkEntry(e); err != nil {
		taken.ignore(err.Error())
		return nil
	}
	if reason := gate.bars(e.OrganizationID); reason != "" {
		taken.ignore(reason.Text())
		return nil
	}
	e.ID = p.newID()
	err := w.AppendAudit(e)
	if cloud.CodeOf(err) == cloud.CodeConflict {
		taken.repeat++
		return nil
	}
	return err
}

func checkEntry(e cloud.AuditEntry) error {
	if err := checkID("the id of an entry", string(e.Reported.ID)); err != nil {
		return err
	}
	return e.Check()
}

// fromWireAudit is an entry as the plane keeps it, but for its id.
func fromWireAudit(region string, e wire.AuditEntry, now time.Time) cloud.AuditEntry {
	entry := cloud.AuditEntry{
		At: now, OrganizationID: cloud.ID(e.OrganizationID),
		Actor:  cloud.Actor{Kind: cloud.ActorKind(e.ActorKind), ID: e.ActorID},
		Action: e.Action, Target: e.Target,
		Reported: cloud.Reported{Region: region, ID: cloud.ID(e.ID), At: parseMicros(e.AtUs)},
	}
	if e.Before != nil {
		entry.Before = string(*e.Before)
	}
	if e.After != nil {
		entry.After = string(*e.After)
	}
	if e.RequestID != nil {
		entry.Origin.RequestID = *e.RequestID
	}
	if e.Address != nil {
		entry.Origin.Address = *e.Address
	}
	return entry
}
