package federation

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

// PlaneConfig is what a Plane is made of. Every field is required.
type PlaneConfig struct {
	Store  cloud.Store
	Health cloud.HealthPolicy
	Log    *slog.Logger
	Now    func() time.Time
	NewID  func() cloud.ID
	Rand   func() float64 // in [0,1), for jitter and epochs; need not be secret
}

// Plane is the plane's end of the link: it keeps the copies of what the
// regions have. Each message is one transaction, and a message may come late,
// twice, or never.
//
// What holds between messages, for each region's link:
//
//   - Epoch and Incarnation are those of the last hello; no other daemon, and
//     no other stream of changes, is listened to.
//   - While Snapshot is nil, the copy without what is missing is exactly what
//     that incarnation had at AppliedSeq, and Digest is its digest.
//   - While Snapshot is not nil, the copy may be a mixture, or another
//     incarnation's; a snapshot is under way or owed, and nothing but the commit
//     of one makes the copy whole again. So whatever interrupts a snapshot
//     replaces it by one with a new id that nobody was told, and the region has
//     to begin again.
//   - An object is missing from the commit of a snapshot that lacks it and too
//     many others (cloud.Guarded), until the region has it again, says that it
//     is gone, or a snapshot that begins cloud.GuardDelay later lacks it still.
//     No other way of lacking it removes it, whatever else comes in between:
//     deltas, other snapshots, new incarnations, restarts of either side. From
//     that delay on every sync is answered with resync, until the snapshot
//     begins. An operator may remove what is missing at any time.
//   - An object is held aside while its id is another region's, or its
//     organization unknown or denied (gate). It counts like any other, but owns
//     no id.
type Plane struct {
	store  cloud.Store
	health cloud.HealthPolicy
	log    *slog.Logger
	now    func() time.Time
	newID  func() cloud.ID
	rand   func() float64
}

// NewPlane returns the plane's end of the links of all regions in the store.
func NewPlane(c PlaneConfig) *Plane {
	return &Plane{store: c.Store, health: c.Health, log: c.Log, now: c.Now, newID: c.NewID, rand: c.Rand}
}

// Peer is the region that is calling.
type Peer struct {
	Region string
	Origin cloud.Origin
}

// Authenticate returns the name of the region whose credential this is;
// CodeUnauthenticated if it is none's.
func (p *Plane) Authenticate(ctx context.Context, credential cloud.Secret) (string, error) {
	var region cloud.Region
	err := p.store.Read(ctx, func(r cloud.Reader) (err error) {
		region, err = r.RegionByCredential(credential.Hash())
		return err
	})
	if cloud.CodeOf(err) == cloud.CodeNotFound {
		return "", errNoRegion
	}
	return region.Name, err
}

// Hello grants the next epoch, and compares what was applied with what the
// region has. It abandons a snapshot under way.
func (p *Plane) Hello(ctx context.Context, peer Peer, req wire.HelloRequest) (wire.Welcome, error) {
	digest, err := parseHello(req)
	if err != nil {
		return wire.Welcome{}, err
	}
	if req.Region != nil && *req.Region != peer.Region {
		return wire.Welcome{}, cloud.Forbidden("this is the credential of region %s, not of %.80s", peer.Region, *req.Region)
	}
	var welcome wire.Welcome
	err = p.store.Write(ctx, func(w cloud.Writer) error {
		plane, err := w.Plane()
		if err != nil {
			return err
		}
		link, err := w.Link(peer.Region)
		if err != nil {
			return err
		}
		now, before := p.now(), link
		link.Epoch = p.nextEpoch(link.Epoch)
		next, err := p.greet(w, &link, cloud.ID(req.Incarnation), req.Seq, digest)
		if err != nil {
			return err
		}
		if err := w.PutLink(link); err != nil {
			return err
		}
		welcome = wire.Welcome{
			Epoch:      link.Epoch,
			Next:       next,
			AppliedSeq: link.AppliedSeq,
			Nonce:      nonces{plane.NonceKey}.issue(peer.Region, now),
		}
		action := "region.epoch" // taken over, by a restart or by another daemon
		if before.Incarnation != link.Incarnation {
			action = "region.incarnation"
		}
		return p.audit(w, peer, now, action, streamOf(before), streamOf(link))
	})
	if err != nil {
		return wire.Welcome{}, err
	}
	p.log.InfoContext(ctx, "a region said hello", "region", peer.Region, "epoch", welcome.Epoch,
		"next", welcome.Next, "incarnation", req.Incarnation, "seq", req.Seq, "applied_seq", welcome.AppliedSeq)
	return welcome, nil
}

// epochSteps bounds the step from one epoch to the next.
const epochSteps = 1 << 20

// nextEpoch is over the last one by a random step: a plane whose database was
// put back from a copy has forgotten what it granted since, and must not grant
// that to another daemon.
func (p *Plane) nextEpoch(last uint64) uint64 { return last + 1 + uint64(p.rand()*epochSteps) }

// greet decides how to go on with a region that said hello.
//
// The incarnation is taken over at once, not only with its snapshot: syncs do
// not name theirs, and must not be applied to another one's copy. An old
// incarnation that comes back is thereby one like any other, and sends a
// snapshot.
func (p *Plane) greet(r cloud.Reader, link *cloud.Link, incarnation cloud.ID, seq uint64, digest cloud.Digest) (wire.WelcomeNext, error) {
	link.HeardSeq = seq
	first, other := link.Incarnation == "", link.Incarnation != incarnation
	if other {
		link.Incarnation, link.AppliedSeq, link.Digest = incarnation, 0, cloud.Digest{}
	}
	switch {
	case first && seq == 0 && digest == cloud.Digest{}:
		return wire.WelcomeNextResume, nil // two empty sets are equal without a snapshot
	case other:
		return wire.WelcomeNextSnapshot, p.oweSnapshot(r, link)
	case seq < link.AppliedSeq, seq == link.AppliedSeq && digest != link.Digest:
		// From here on the stream is not the one that was applied. It stays
		// refused until it has another name.
		return wire.WelcomeNextRenew, p.oweSnapshot(r, link)
	case link.Snapshot != nil:
		return wire.WelcomeNextSnapshot, p.oweSnapshot(r, link)
	default:
		return wire.WelcomeNextResume, nil
	}
}

// oweSnapshot notes that only a snapshot yet to begin makes the copy whole.
func (p *Plane) oweSnapshot(r cloud.Reader, link *cloud.Link) error {
	return replaceSnapshot(r, link, cloud.Snapshot{ID: p.newID()})
}

// replaceSnapshot puts a snapshot in the place of the one under way. What the
// copy had when it was last whole is what the guard measures losses by.
func replaceSnapshot(r cloud.Reader, link *cloud.Link, next cloud.Snapshot) (err error) {
	if link.Snapshot != nil {
		next.Had = link.Snapshot.Had
	} else if next.Had, err = countObjects(r, link.Region); err != nil {
		return err
	}
	link.Snapshot = &next
	return nil
}

// link reads the link on which a message of this epoch may act: the last one
// granted.
func (p *Plane) link(r cloud.Reader, region string, epoch uint64) (cloud.Link, error) {
	link, err := r.Link(region)
	switch {
	case err != nil:
		return cloud.Link{}, err
	case epoch == 0 || epoch > link.Epoch:
		return cloud.Link{}, cloud.Invalid("epoch %d was never granted; say hello for the next one", epoch)
	case epoch < link.Epoch:
		return cloud.Link{}, errFenced
	}
	return link, nil
}

// streamState is what the audit keeps of a link.
type streamState struct {
	Incarnation cloud.ID `json:"incarnation"`
	Epoch       uint64   `json:"epoch"`
	AppliedSeq  uint64   `json:"applied_seq"`
	Objects     *int64   `json:"objects,omitempty"`
	Missing     *int64   `json:"missing,omitempty"`
}

func streamOf(l cloud.Link) streamState {
	return streamState{Incarnation: l.Incarnation, Epoch: l.Epoch, AppliedSeq: l.AppliedSeq}
}

func (p *Plane) audit(w cloud.Writer, peer Peer, now time.Time, action string, before, after streamState) error {
	texts := make([]string, 2)
	for i, s := range []streamState{before, after} {
		text, err := json.Marshal(s)
		if err != nil {
			return err
		}
		texts[i] = string(text)
	}
	return w.AppendAudit(cloud.AuditEntry{
		ID:     p.newID(),
		At:     now,
		Actor:  cloud.Actor{Kind: cloud.ActorRegion, ID: peer.Region},
		Action: action,
		Target: peer.Region,
		Before: texts[0],
		After:  texts[1],
		Origin: peer.Origin,
	})
}
