package rows

import (
	"fmt"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/regiondb"
)

// Identity implements cloud.RegionReader.
func (r RegionReader) Identity() (cloud.RegionIdentity, error) {
	row, err := r.q.GetIdentity(r.ctx)
	if err != nil {
		return cloud.RegionIdentity{}, err
	}
	digest, err := cloud.ParseDigest(row.DigestCount, row.DigestSum)
	if err != nil {
		return cloud.RegionIdentity{}, fmt.Errorf("the digest in the database is damaged: %w", err)
	}
	return cloud.RegionIdentity{
		Incarnation: cloud.ID(row.Incarnation),
		Seq:         uint64(row.Seq),
		Floor:       uint64(row.Floor),
		Digest:      digest,
	}, nil
}

// SetIdentity implements cloud.RegionWriter.
func (w RegionWriter) SetIdentity(id cloud.RegionIdentity) error {
	if err := fits(id.Seq, id.Floor); err != nil {
		return err
	}
	return w.q.SetIdentity(w.ctx, regiondb.SetIdentityParams{
		Incarnation: string(id.Incarnation),
		Seq:         int64(id.Seq),
		Floor:       int64(id.Floor),
		DigestCount: id.Digest.Count,
		DigestSum:   id.Digest.Hex(),
	})
}
