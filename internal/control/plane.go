package control

import (
	"context"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// AliveInterval is how often a running plane notes that it runs; the outage
// that a start records is known to within it.
const AliveInterval = 5 * time.Second

// Start notes that the plane runs again, under the issuer's URL, and for how
// long it did not: a region cannot have reported in that time, and nothing is
// better than stale until it does.
func (c *Control) Start(ctx context.Context, issuer string) error {
	return c.store.Write(ctx, func(tx cloud.Writer) error {
		// First, since it holds the plane's row: of several processes that start at
		// once, each sees what the one before it noted.
		if err := tx.TouchHealth(); err != nil {
			return err
		}
		plane, err := tx.Plane()
		if err != nil {
			return err
		}
		now := c.now()
		if !plane.AliveAt.IsZero() && !c.othersRun(plane.AliveAt, now) {
			// A clock that was set back must not make an outage that ends before it began.
			outage := cloud.Outage{From: plane.AliveAt, To: now}
			if now.Before(plane.AliveAt) {
				outage.From = now
			}
			if err := tx.RecordOutage(outage); err != nil {
				return err
			}
		}
		if err := tx.SetIssuer(issuer); err != nil {
			return err
		}
		return tx.MarkAlive(now)
	})
}

// othersRun reports whether the plane ran on while this process did not, in
// other processes: regions could report to those.
func (c *Control) othersRun(alive, now time.Time) bool {
	age := now.Sub(alive)
	return c.store.Shared() && -cloud.ClockPlay <= age && age < 2*AliveInterval
}

// MarkAlive notes that the plane runs; call it every AliveInterval. A clock
// that was set back counts as a start: by the former clock the last one may lie
// in the future, before which no report counts.
func (c *Control) MarkAlive(ctx context.Context) error {
	return c.store.Write(ctx, func(tx cloud.Writer) error {
		plane, err := tx.Plane()
		if err != nil {
			return err
		}
		now := c.now()
		if !plane.AliveAt.After(now.Add(cloud.ClockPlay)) {
			return tx.MarkAlive(now)
		}
		if err := tx.TouchHealth(); err != nil { // first, as in Start
			return err
		}
		if err := tx.RecordOutage(cloud.Outage{From: now, To: now}); err != nil {
			return err
		}
		return tx.MarkAlive(now)
	})
}
