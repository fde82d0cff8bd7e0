package rows

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
)

func link(row planedb.Link) (cloud.Link, error) {
	digest, err := cloud.ParseDigest(row.DigestCount, row.DigestSum)
	if err != nil {
		return cloud.Link{}, fmt.Errorf("link of %s: %w", row.Region, err)
	}
	l := cloud.Link{
		Region:      row.Region,
		Incarnation: cloud.ID(row.Incarnation),
		Epoch:       uint64(row.Epoch),
		AppliedSeq:  uint64(row.AppliedSeq),
		HeardSeq:    uint64(row.HeardSeq),
		AuditLast:   cloud.ID(row.AuditLast),
		Digest:      digest,
		SyncedAt:    instant(row.SyncedAt),

		Held:         row.Held,
		MissingSince: instant(row.MissingSince),
		Clock:        instant(row.Clock),
	}
	var sources map[string]int64
	if err := json.Unmarshal([]byte(row.Sources), &sources); err != nil {
		return cloud.Link{}, fmt.Errorf("sources of %s: %w", row.Region, err)
	}
	for name, us := range sources {
		if l.Sources == nil {
			l.Sources = make(map[string]time.Time, len(sources))
		}
		l.Sources[name] = instant(us)
	}
	if row.SnapshotID == "" {
		return l, nil
	}
	digest, err = cloud.ParseDigest(row.SnapshotDigestCount, row.SnapshotDigestSum)
	if err != nil {
		return cloud.Link{}, fmt.Errorf("snapshot of %s: %w", row.Region, err)
	}
	l.Snapshot = &cloud.Snapshot{
		ID:       cloud.ID(row.SnapshotID),
		Seq:      uint64(row.SnapshotSeq),
		NextPage: int(row.SnapshotNextPage),
		Digest:   digest,
		BegunAt:  instant(row.SnapshotBegunAt),
		Had:      row.SnapshotHad,
	}
	return l, nil
}

// Link implements cloud.Reader.
func (r Reader) Link(region string) (cloud.Link, error) {
	row, err := r.q.GetLink(r.ctx, region)
	if err != nil {
		return cloud.Link{}, missing(err, "there is no region named %q", region)
	}
	return link(row)
}

// Links implements cloud.Reader.
func (r Reader) Links() ([]cloud.Link, error) {
	rows, err := r.q.ListLinks(r.ctx)
	return try(rows, err, link)
}

// PutLink implements cloud.Writer.
func (w Writer) PutLink(l cloud.Link) error {
	var snapshot cloud.Snapshot
	if l.Snapshot != nil {
		snapshot = *l.Snapshot
	}
	if err := fits(l.Epoch, l.AppliedSeq, l.HeardSeq, snapshot.Seq); err != nil {
		return err
	}
	times := make(map[string]int64, len(l.Sources))
	for name, t := range l.Sources {
		times[name] = micros(t)
	}
	sources, err := json.Marshal(times)
	if err != nil {
		return fmt.Errorf("sources of %s: %w", l.Region, err)
	}
	return w.q.PutLink(w.ctx, planedb.PutLinkParams{
		Region:              l.Region,
		Incarnation:         string(l.Incarnation),
		Epoch:               int64(l.Epoch),
		AppliedSeq:          int64(l.AppliedSeq),
		HeardSeq:            int64(l.HeardSeq),
		AuditLast:           string(l.AuditLast),
		DigestCount:         l.Digest.Count,
		DigestSum:           l.Digest.Hex(),
		SyncedAt:            micros(l.SyncedAt),
		Sources:             string(sources),
		Clock:               micros(l.Clock),
		Held:                l.Held,
		MissingSince:        micros(l.MissingSince),
		SnapshotID:          string(snapshot.ID),
		SnapshotSeq:         int64(snapshot.Seq),
		SnapshotBegunAt:     micros(snapshot.BegunAt),
		SnapshotHad:         snapshot.Had,
		SnapshotNextPage:    int64(snapshot.NextPage),
		SnapshotDigestCount: snapshot.Digest.Count,
		SnapshotDigestSum:   snapshot.Digest.Hex(),
	})
}
