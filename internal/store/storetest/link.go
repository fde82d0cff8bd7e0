package storetest

import (
	"math"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func testLinks(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	get := func(region string) func(cloud.Reader) (cloud.Link, error) {
		return func(r cloud.Reader) (cloud.Link, error) { return r.Link(region) }
	}
	equal(t, "the link before the first hello", read(t, s, get("west-1")), cloud.Link{Region: "west-1"})
	missing(t, s, "the link of an unknown region", get("north-1"))

	l := cloud.Link{
		Region:      "west-1",
		Incarnation: id(601),
		Epoch:       math.MaxInt64,
		AppliedSeq:  41,
		HeardSeq:    43,
		AuditLast:   id(603),
		Digest:      digestOf(object(cloud.KindInstance, 1, 7, "{}")),
		SyncedAt:    now,
		Sources:     map[string]time.Time{"engine": now.Add(-time.Microsecond), `a "quoted" ☂ one`: now},
		Snapshot: &cloud.Snapshot{
			ID: id(602), Seq: 42, NextPage: 3, BegunAt: now.Add(time.Second), Had: 17,
			Digest: digestOf(object(cloud.KindCluster, 2, 8, "[]")),
		},
		Held: 5, MissingSince: now.Add(-time.Hour), Clock: now.Add(24 * time.Hour),
	}
	write(t, s, func(w cloud.Writer) error { return w.PutLink(l) })
	equal(t, "the link", read(t, s, get("west-1")), l)
	equal(t, "the links", read(t, s, cloud.Reader.Links), []cloud.Link{{Region: "east-1"}, l})

	l.Snapshot, l.Sources, l.SyncedAt, l.MissingSince, l.Clock = nil, nil, time.Time{}, time.Time{}, time.Time{}
	write(t, s, func(w cloud.Writer) error { return w.PutLink(l) })
	equal(t, "the link without a snapshot", read(t, s, get("west-1")), l)
	refused(t, s, cloud.CodeNotFound, "", func(w cloud.Writer) error { return w.PutLink(cloud.Link{Region: "north-1"}) })
}

func testLinksOutOfRange(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	const over = math.MaxInt64 + 1
	for what, l := range map[string]cloud.Link{
		"epoch":    {Region: "west-1", Epoch: over},
		"seq":      {Region: "west-1", AppliedSeq: over},
		"heard":    {Region: "west-1", HeardSeq: over},
		"snapshot": {Region: "west-1", Snapshot: &cloud.Snapshot{ID: id(602), Seq: over}},
	} {
		t.Run(what, func(t *testing.T) {
			refused(t, s, cloud.CodeInvalid, "9223372036854775808", func(w cloud.Writer) error { return w.PutLink(l) })
		})
	}
}
