package federation

import (
	"context"

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
		link.Snapshot = &cloud.Snapshot{ID: id, Seq: req.Seq}
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
	var held []cloud.ObjectKey
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
// it did not hold disappears. One whose pages do not add up to the digest is
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
	var removed int64
	err = p.store.Write(ctx, func(w cloud.Writer) error {
		mismatch, removed = false, 0
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
			p.oweSnapshot(&link)
			return w.PutLink(link)
		}
		removed, err = p.commit(w, peer, link)
		return err
	})
	switch {
	case err != nil:
		return err
	case mismatch:
		p.log.WarnContext(ctx, "a snapshot does not match its digest and is abandoned", "region", peer.Region, "snapshot", id)
		return errMismatch
	}
	p.log.InfoContext(ctx, "a snapshot is committed", "region", peer.Region, "snapshot", id, "objects", digest.Count, "removed", removed)
	return nil
}

// commit ends the snapshot and returns how many objects it made disappear.
func (p *Plane) commit(w cloud.Writer, peer Peer, link cloud.Link) (removed int64, err error) {
	before, snapshot := streamOf(link), *link.Snapshot
	counts, err := w.CountObjects(link.Region)
	if err != nil {
		return 0, err
	}
	var objects int64
	for _, n := range counts {
		objects += n
	}
	lost, err := w.DeleteUnseen(link.Region, snapshot.ID)
	if err != nil {
		return 0, err
	}
	link.AppliedSeq, link.Digest, link.Snapshot = snapshot.Seq, snapshot.Digest, nil
	if err := w.PutLink(link); err != nil {
		return 0, err
	}
	if len(lost) == 0 {
		return 0, nil
	}
	after := streamOf(link)
	before.Objects, after.Objects = &objects, &link.Digest.Count
	if err := p.audit(w, peer, p.now(), "region.snapshot", before, after); err != nil {
		return 0, err
	}
	return objects - link.Digest.Count, w.TouchFleet(lost)
}
