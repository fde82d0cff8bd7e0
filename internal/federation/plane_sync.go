package federation

import (
	"context"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

const (
	// syncInterval is how often a region without changes reports; each answer
	// strays from it by up to syncJitter of it.
	syncInterval = 15 * time.Second
	syncJitter   = 0.2

	// soon bounds the interval after a sync that proved little: one that echoes
	// a nonce from before the plane's last start, or an old one. The next one
	// will echo a new one.
	soon     = 500 * time.Millisecond
	oldNonce = 2 * syncInterval
)

// synced is what became of a sync, for the answer and the log.
type synced struct {
	answer   wire.SyncAnswer
	held     []cloud.StoredObject
	mismatch bool // of the digests
	missing  bool // what is missing is to be confirmed
}

// Sync applies what changed at a region, and takes the message as evidence
// that its sources live. While a snapshot is under way or owed only heartbeats
// are of use: changes are answered with resync.
func (p *Plane) Sync(ctx context.Context, peer Peer, req wire.SyncRequest) (wire.SyncAnswer, error) {
	rep, err := parseSync(req)
	if err != nil {
		return wire.SyncAnswer{}, err
	}
	var s synced
	err = p.store.Write(ctx, func(w cloud.Writer) (err error) {
		s, err = p.sync(w, peer.Region, rep)
		return err
	})
	if err != nil {
		return wire.SyncAnswer{}, err
	}
	p.logHeld(ctx, peer.Region, s.held)
	if s.answer.Outcome == wire.SyncAnswerOutcomeResync {
		p.log.WarnContext(ctx, "a region has to send a snapshot", "region", peer.Region, "epoch", req.Epoch,
			"from", req.From, "to", req.To, "applied_seq", s.answer.AppliedSeq, "digest_mismatch", s.mismatch, "confirm_missing", s.missing)
	}
	return s.answer, nil
}

func (p *Plane) sync(w cloud.Writer, region string, rep report) (s synced, err error) {
	link, err := p.link(w, region, rep.Epoch)
	if err != nil {
		return s, err
	}
	plane, err := w.Plane()
	if err != nil {
		return s, err
	}
	now, nonces := p.now(), nonces{plane.NonceKey}
	issued, err := nonces.read(region, rep.Nonce, now)
	if err != nil {
		return s, err
	}
	if err := checkSources(rep, link); err != nil {
		return s, err
	}
	s.answer.Outcome = judge(link, rep)
	link.HeardSeq = max(link.HeardSeq, rep.To, rep.seq)
	change := newChange()
	if s.answer.Outcome == wire.SyncAnswerOutcomeApplied && rep.From == link.AppliedSeq && !rep.heartbeat() {
		if change, err = apply(w, &link, rep, now); err != nil {
			return s, err
		}
		s.held = change.held
	}
	if err := change.release(w, link); err != nil {
		return s, err
	}
	if change.aside {
		if _, err := countAside(w, &link); err != nil {
			return s, err
		}
	}
	if link.AsksAgain(now) {
		s.answer.Outcome, s.missing = wire.SyncAnswerOutcomeResync, true
	}
	if rep.digest != nil && link.Snapshot == nil && rep.To == link.AppliedSeq && *rep.digest != link.Digest {
		s.answer.Outcome, s.mismatch = wire.SyncAnswerOutcomeResync, true
	}
	evidence := cloud.SyncReport{AcceptedAt: now, IssuedAt: issued, Ages: rep.ages}
	healthChanged := link.Accept(evidence, p.health, plane.Outages)
	link.Clock = rep.clock
	if err := w.PutLink(link); err != nil {
		return s, err
	}
	s.answer.AppliedSeq, s.answer.AuditLast = link.AppliedSeq, new(string(link.AuditLast))
	s.answer.Nonce = nonces.issue(region, now)
	s.answer.NextInMs = int(p.pace(now, issued, plane.Outages).Milliseconds())
	if s.answer.Grants, err = grantChanges(w, plane, rep.GrantsRevision); err != nil {
		return s, err
	}
	if touched := change.organizations(); len(touched) > 0 {
		if err := w.TouchFleet(touched); err != nil {
			return s, err
		}
	}
	if healthChanged {
		return s, w.TouchHealth()
	}
	return s, nil
}

// checkSources refuses objects in the name of a source of which nothing was
// ever heard: nobody could say how old they are.
func checkSources(rep report, link cloud.Link) error {
	for _, u := range rep.upserts {
		if _, reported := rep.ages[u.source]; reported {
			continue
		}
		if _, known := link.Sources[u.source]; !known {
			return cloud.Invalid("%s %s names the source %.80q, of which no sync told the age; list it in sources", u.Kind, u.ID, u.source)
		}
	}
	return nil
}

// judge decides what becomes of a sync, short of its digest.
func judge(link cloud.Link, rep report) wire.SyncAnswerOutcome {
	switch {
	case link.Snapshot != nil && rep.heartbeat() && rep.digest == nil:
		// The region knows what it owes: hello, the refusal of its changes or
		// of its commit said so. It must not begin again on every heartbeat. One
		// that has the copies compared does not know: what it sent to begin a
		// snapshot that is long over has come a second time.
		return wire.SyncAnswerOutcomeApplied
	case link.Snapshot != nil:
		return wire.SyncAnswerOutcomeResync
	case rep.From == link.AppliedSeq, rep.To <= link.AppliedSeq:
		return wire.SyncAnswerOutcomeApplied
	default:
		return wire.SyncAnswerOutcomeResync
	}
}

// apply brings the copy from rep.From, where it is, to rep.To. All revs in the
// report are over those in the copy, so no newer row is replaced.
func apply(w cloud.Writer, link *cloud.Link, rep report, now time.Time) (copyChange, error) {
	change, err := newState(w, link.Region, now, rep.upserts, rep.tombstones, false)
	if err != nil {
		return change, err
	}
	if err := w.DeleteObjects(link.Region, rep.tombstones); err != nil {
		return change, err
	}
	if err := w.PutObjects(link.Incarnation, "", change.put); err != nil {
		return change, err
	}
	for _, o := range change.removed {
		link.Digest.Remove(o)
	}
	for _, o := range change.put {
		link.Digest.Add(o.Object)
	}
	link.AppliedSeq = rep.To
	return change, nil
}

// pace says when the region is to sync next if nothing changes.
func (p *Plane) pace(now, issued time.Time, outages cloud.Outages) time.Duration {
	started := outages.LastEnd()
	beforeStart := issued.Before(started) && !started.After(now) // unless the clock was set back since
	if beforeStart || now.Sub(issued) > oldNonce {
		return time.Duration(p.rand() * float64(soon))
	}
	return time.Duration(float64(syncInterval) * (1 - syncJitter + 2*syncJitter*p.rand()))
}

func (p *Plane) logHeld(ctx context.Context, region string, held []cloud.StoredObject) {
	if len(held) > 0 {
		p.log.WarnContext(ctx, "objects are held aside", "region", region, "count", len(held),
			"kind", held[0].Kind, "id", held[0].ID, "reason", held[0].Held.Text())
	}
}
