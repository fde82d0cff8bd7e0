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
	now := c.now()
	err = c.store.Write(ctx, func(tx cloud.Writer) (err error) {
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
		if err := tx.DeleteExpiredSigningKeys(now); err != nil {
			return err
		}
		return tx.DeleteExpired(now.Add(-afterlife))
	})
	if err != nil || !done {
		return false, err
	}
	return true, c.forgetAudit(ctx, now)
}

// afterlife is how much longer than it is good anything about people is kept. A
// token is believed for a little after its end, where clocks differ, and so must
// its revocation be.
const afterlife = time.Hour
