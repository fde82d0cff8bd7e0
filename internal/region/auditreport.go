package region

import (
	"context"
	"fmt"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// prunedAudit is how many old entries of the audit go with a note of what the
// plane has: more than come with a message, so that they end.
const prunedAudit = 1000

// AuditReported notes up to which seq the plane has the audit. What it has is
// forgotten after cloud.AuditTTL; what it does not have is kept for ever.
func (r *Region) AuditReported(ctx context.Context, seq uint64) error {
	err := r.store.Write(ctx, func(w cloud.RegionWriter) error {
		if err := w.SetAuditReported(seq); err != nil {
			return err
		}
		return w.PruneAudit(r.now().Add(-cloud.AuditTTL), prunedAudit)
	})
	if err != nil {
		return fmt.Errorf("note how much of the audit the plane has: %w", err)
	}
	return nil
}
