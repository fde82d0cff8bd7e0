package control

import (
	"context"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// JobInterval is how often a running plane looks for jobs that are due.
const JobInterval = time.Minute

// KeepHouse forgets what is over, if that is due and no other process does it;
// call it every JobInterval. It tells whether it was done.
func (c *Control) KeepHouse(ctx context.Context) (done bool, err error) {
	err = c.store.Write(ctx, func(tx cloud.Writer) (err error) {
		now := c.now()
		if done, err = tx.ClaimJob(cloud.Housekeeping, now); err != nil || !done {
			return err
		}
		// In the order in which requests hold them, so that none waits for a cycle.
		if err := tx.DeleteExpiredInvitations(now); err != nil {
			return err
		}
		if err := tx.DeleteExpiredOutcomes(now); err != nil {
			return err
		}
		return tx.DeleteExpiredSigningKeys(now)
	})
	return done && err == nil, err
}
