package federation

import (
	"context"
	"slices"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

// BeginSnapshot begins the transfer of everything that the region has at a
// seq, and abandons one that was under way. It returns the id under which the
// pages are sent.
func (p *Plane) BeginSnapshot(ctx context.Context, peer Peer, req wire.SnapshotRequest) (cloud.ID, error) {
	if err := checkID("incarnation", req.Incarnation); err != nil {
		return "", err
	}
	if err := checkSeqs(req.Seq); err != nil {
		return "", err
	}
	var id cloud.ID
	err := p.store.Write(ctx, func(w cloud.Writer) error {
		link, err := p.link(w, peer.Region, req.Epoch)
		switch {
		case err != nil:
			return err
		case link.Incarnation != cloud.ID(req.Incarnation):
			return cloud.Invalid("the last hello was for incarnation %s; say hello for this one first", link.Incarnation)
		case req.Seq < link.AppliedSeq:
			return cloud.Invalid("seq %d is behind %d, which was applied already; say hello again", req.Seq, link.AppliedSeq)
		}
		id = p.newID()
		link.HeardSeq = max(link.HeardSeq, req.Seq)
		if err := replaceSnapshot(w, &link, cloud.Snapshot{ID: id, Seq: req.Seq, BegunAt: p.now()}); err != nil {
			return err
		}
		return w.PutLink(link)
	})
	if err != nil {
		return "", err
	}
	p.log.InfoContext(ctx, "a snapshot begins", "region", peer.Region, "snapshot", id, "seq", req.Seq)
	return id, nil
}

// PutPage takes the page of that number, from 0, of a snapshot. What it holds
// shows at once, over whatever was there: the copy is the region's word, and in
// the end becomes this snapshot whole.
//
// Pages name no sources. An object whose source was never heard shows as
// offline until it is.
func (p *Plane) PutPage(ctx context.Context, peer Peer, id cloud.ID, number int, req wire.SnapshotPage) error {
	upserts, err := parseUpserts(req.Upserts, 0, maxSeq, make(map[cloud.ObjectKey]bool, len(req.Upserts)))
	if err != nil {
		return err
	}
	var held []cloud.StoredObject
	err = p.store.Write(ctx, func(w cloud.Writer) error {
		held = nil
		link, err := p.link(w, peer.Region, req.Epoch)
		if err != nil {
			return err
		}
		if link.Snapshot == nil || link.Snapshot.ID != id {
			return errNoSnapshot
		}
		switch snapshot := link.Snapshot; {
		case number < 0 || number > snapshot.NextPage:
			return cloud.Invalid("page %d is out of order; page %d is expected next", number, snapshot.NextPage)
		case number < snapshot.NextPage:
			return nil // it was accepted before, and only its answer lost
		}
		change, err := p.applyPage(w, &link, upserts)
		if err != nil {
			return err
		}
		held = change.held
		if touched := change.organizations(); len(touched) > 0 {
			return w.TouchFleet(touched)
		}
		return nil
	})
	if err != nil {
		return err
	}
	p.logHeld(ctx, peer.Region, held)
	return nil
}

func (p *Plane) applyPage(w cloud.Writer, link *cloud.Link, upserts []upsert) (copyChange, error) {
	snapshot := *link.Snapshot
	for _, u := range upserts {
		if u.Rev > snapshot.Seq {
			return copyChange{}, cloud.Invalid("%s %s: rev %d is over the snapshot's seq %d", u.Kind, u.ID, u.Rev, snapshot.Seq)
		}
	}
	change, err := newState(w, link.Region, p.now(), upserts, nil, true)
	if err != nil {
		return change, err
	}
	if err := w.PutObjects(link.Incarnation, snapshot.ID, change.put); err != nil {
		return change, err
	}
	for _, u := range upserts {
		snapshot.Digest.Add(u.Object)
	}
	snapshot.NextPage++
	link.Snapshot = &snapshot
	return change, w.PutLink(*link)
}

// CommitSnapshot makes the snapshot the plane's whole copy of the region: what
// it did not hold disappears, or is held as missing if that is too much to be
// believed. One whose pages do not add up to the digest is
// abandoned, and nothing disappears.
//
// The repetition of a commit whose answer was lost finds no snapshot under
// way, and a copy that is just what it asks for: that is success too.
func (p *Plane) CommitSnapshot(ctx context.Context, peer Peer, id cloud.ID, req wire.SnapshotCommit) error {
	digest, err := cloud.ParseDigest(req.Digest.Count, req.Digest.Sum)
	if err != nil {
		return err
	}
	var mismatch bool
	var outcome committed
	err = p.store.Write(ctx, func(w cloud.Writer) error {
		mismatch, outcome = false, committed{}
		link, err := p.link(w, peer.Region, req.Epoch)
		switch {
		case err != nil:
			return err
		case link.Snapshot == nil && link.Digest == digest:
			return nil
		case link.Snapshot == nil || link.Snapshot.ID != id:
			return errNoSnapshot
		case link.Snapshot.Digest != digest:
			mismatch = true
			if err := p.oweSnapshot(w, &link); err != nil {
				return err
			}
			return w.PutLink(link)
		}
		outcome, err = p.commit(w, peer, link)
		return err
	})
	switch {
	case err != nil:
		return err
	case mismatch:
		p.log.WarnContext(ctx, "a snapshot does not match its digest and is abandoned", "region", peer.Region, "snapshot", id)
		return errMismatch
	}
	p.log.InfoContext(ctx, "a snapshot is committed", "region", peer.Region, "snapshot", id, "objects", digest.Count, "removed", outcome.removed)
	if outcome.guarded {
		p.log.WarnContext(ctx, "a snapshot lacks so much that it is held as missing", "region", peer.Region,
			"snapshot", id, "missing", outcome.missing, "confirmed_from", p.now().Add(cloud.GuardDelay))
	}
	return nil
}

// committed is what the commit of a snapshot did to what it lacks.
type committed struct {
	removed int64 // objects that disappeared
	missing int64 // objects that are held as missing, from before too
	guarded bool  // there are more of them now
}

// commit ends the snapshot.
func (p *Plane) commit(w cloud.Writer, peer Peer, link cloud.Link) (c committed, err error) {
	before, snapshot := streamOf(link), *link.Snapshot
	objects, err := countObjects(w, link.Region)
	if err != nil {
		return c, err
	}
	lost, err := p.settle(w, snapshot, link.Region, objects, &c)
	if err != nil {
		return c, err
	}
	link.AppliedSeq, link.Digest, link.Snapshot = snapshot.Seq, snapshot.Digest, nil
	aside, err := countAside(w, &link)
	if err != nil {
		return c, err
	}
	left := link.Digest.Count + aside.Missing
	c.removed, c.missing = objects-left, aside.Missing
	if err := w.PutLink(link); err != nil || len(lost) == 0 {
		return c, err
	}
	after := streamOf(link)
	before.Objects, after.Objects = &objects, &left
	if c.missing > 0 {
		after.Missing = &c.missing
	}
	if err := p.audit(w, peer, p.now(), "region.snapshot", before, after); err != nil {
		return c, err
	}
	return c, w.TouchFleet(lost)
}

// settle decides about what the snapshot lacks, and returns the organizations
// to which something of that belongs. What was missing for long enough is gone;
// of the rest all is held if it is too much, and otherwise what is not missing
// yet goes at once. So a loss that was held does not pass by coming in slices.
func (p *Plane) settle(w cloud.Writer, snapshot cloud.Snapshot, region string, objects int64, c *committed) ([]cloud.ID, error) {
	confirmed, err := w.DeleteMissing(region, snapshot.Confirms())
	if err != nil {
		return nil, err
	}
	left, err := countObjects(w, region)
	if err != nil {
		return nil, err
	}
	lacks, err := w.CountUnseen(region, snapshot.ID)
	if err != nil {
		return nil, err
	}
	var lost []cloud.ID
	if guarded := cloud.Guarded(lacks, snapshot.Had-(objects-left)); guarded {
		lost, err = w.HoldUnseen(region, snapshot.ID, p.now())
		c.guarded = len(lost) > 0
	} else {
		lost, err = w.DeleteUnseen(region, snapshot.ID)
	}
	lost = append(confirmed, lost...)
	slices.Sort(lost)
	return slices.Compact(lost), err
}
