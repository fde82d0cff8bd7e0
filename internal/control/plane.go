package control

import (
	"context"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// AliveInterval is how often a running plane notes that it runs; the outage
// that a start records is known to within it.
const AliveInterval = 5 * time.Second

// longestOutage is more than any plane is down for.
const longestOutage = 365 * 24 * time.Hour

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
			if err := c.noteOutage(tx, plane.AliveAt, now); err != nil {
				return err
			}
		}
		if err := tx.SetIssuer(issuer); err != nil {
			return err
		}
		return tx.MarkAlive(now)
	})
}

// noteOutage notes for how long the plane did not run. That is not known if the
// clock was set back meanwhile, nor, where other processes may have run on,
// whether it was.
func (c *Control) noteOutage(tx cloud.Writer, alive, now time.Time) error {
	switch {
	case !now.Before(alive):
		return tx.RecordOutage(cloud.Outage{From: alive, To: now})
	case c.store.Shared():
		return tx.RecordOutage(cloud.Outage{From: now, To: now})
	default:
		return setBack(tx, now, alive.Sub(now), longestOutage)
	}
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
	now := c.now()
	defer c.marked.Store(&now)
	return c.store.Write(ctx, func(tx cloud.Writer) error {
		plane, err := tx.Plane()
		if err != nil {
			return err
		}
		if !plane.AliveAt.After(now.Add(cloud.ClockPlay)) {
			return tx.MarkAlive(now)
		}
		if err := tx.TouchHealth(); err != nil { // first, as in Start
			return err
		}
		if err := c.noteSetBack(tx, plane.AliveAt, now); err != nil {
			return err
		}
		return tx.MarkAlive(now)
	})
}

// noteSetBack notes that the plane last ran in the future. Where it runs in
// several processes that may be the clock of another one; only what this one's
// own clock did is known.
func (c *Control) noteSetBack(tx cloud.Writer, alive, now time.Time) error {
	if last := c.marked.Load(); c.store.Shared() && (last == nil || !last.After(now.Add(cloud.ClockPlay))) {
		return tx.RecordOutage(cloud.Outage{From: now, To: now})
	}
	// Up to an interval passed before the clock was set back, and after that.
	return setBack(tx, now, alive.Sub(now), 2*AliveInterval)
}

// setBack notes that the clock was set back, by that or up to that much more.
// What the former clock noted of the regions moves back with it, or it would
// look younger than it is; so would messages that are under way, whose nonces it
// issued: they count no more. By that move alone nothing becomes offline: it
// counts as an outage. What is missing must not look older, and moves by the
// least.
func setBack(tx cloud.Writer, now time.Time, least, more time.Duration) error {
	by := least + more
	if err := tx.SetNonceKey(cloud.DrawKey()); err != nil {
		return err
	}
	if err := tx.RecordOutage(cloud.Outage{From: now.Add(-by), To: now}); err != nil {
		return err
	}
	links, err := tx.Links()
	if err != nil {
		return err
	}
	for _, l := range links {
		if l, err = tx.Link(l.Region); err != nil { // to change it, by itself
			return err
		}
		if err := tx.SetBackMissing(l.Region, least); err != nil {
			return err
		}
		l.SetBack(by, least)
		if err := tx.PutLink(l); err != nil {
			return err
		}
	}
	return nil
}
