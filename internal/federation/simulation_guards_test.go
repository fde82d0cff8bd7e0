package federation_test

import (
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation"
)

// guard is a rule of the protocol that a test may put out of order, to show
// what it is for. That is done to the plane from outside: a message is changed
// on its last inch so that the guard has nothing to object to, or what it
// guards is done before it is asked.
type guard string

// The guards.
const (
	guardNonce  guard = "nonce"  // a message is as old as the nonce that it echoes
	guardEpoch  guard = "epoch"  // only the daemon that said hello last is heard
	guardDigest guard = "digest" // copies are compared
	guardRev    guard = "rev"    // what is not newer than the copy has no effect
	guardGap    guard = "gap"    // changes apply only to what they build on
	guardCommit guard = "commit" // only a whole snapshot removes anything
	guardLoss   guard = "loss"   // what a snapshot lacks beyond belief is kept as missing
	guardGate   guard = "gate"   // what is of nobody known is not shown
	guardAudit  guard = "audit"  // entries of the audit are taken only where they follow on
)

// defeat makes a message pass the guard that is out of order.
func (g guard) defeat(s *simulation, m letter) letter {
	if g == "" {
		return m
	}
	var link cloud.Link
	var plane cloud.Plane
	s.mustRead(func(r cloud.Reader) (err error) {
		if plane, err = r.Plane(); err == nil {
			link, err = r.Link(west)
		}
		return err
	})
	m = m.clone()
	switch g {
	case guardNonce:
		if m.sync != nil {
			m.sync.Nonce = federation.IssueNonce(plane.NonceKey, west, s.planeNow())
		}
	case guardEpoch:
		if epoch := m.epoch(); epoch != nil {
			*epoch = link.Epoch
		}
	case guardDigest:
		m.agree(link)
	case guardGap:
		if m.sync != nil && link.Snapshot == nil && m.sync.From > link.AppliedSeq {
			m.sync.From = link.AppliedSeq
		}
	case guardAudit:
		if m.audit != nil && m.audit.After != "" {
			m.audit.After = string(link.AuditLast)
		}
	case guardRev, guardCommit, guardLoss, guardGate: // see forget, and crashingWriter
	}
	return m
}

// forget makes the plane forget how far it is, if the message under way is not
// newer.
func (g guard) forget(m letter, link cloud.Link) cloud.Link {
	if g == guardRev && m.sync != nil && link.Snapshot == nil && m.sync.From < m.sync.To && m.sync.To <= link.AppliedSeq {
		link.AppliedSeq = m.sync.From
	}
	return link
}

// agree gives a message the digest that the plane has anyway.
func (m letter) agree(link cloud.Link) {
	switch {
	case m.sync != nil:
		m.sync.Digest = nil
	case m.hello != nil && m.hello.Seq == link.AppliedSeq:
		m.hello.Digest = wireDigest(link.Digest)
	case m.commit != nil && link.Snapshot != nil:
		m.commit.Digest = wireDigest(link.Snapshot.Digest)
	}
}

// clone is a message that can be changed.
func (m letter) clone() letter {
	m.hello, m.sync, m.begin, m.page, m.commit = copied(m.hello), copied(m.sync), copied(m.begin), copied(m.page), copied(m.commit)
	m.audit = copied(m.audit)
	return m
}

func copied[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}
