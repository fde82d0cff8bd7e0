package control

import (
	"context"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// SuspendOrganization suspends an organization, or ends that. What it has goes on
// to run, and may be read; nobody in it may change anything, at the plane from
// the next request on, in regions within a minute. CodeNotFound if nothing is so
// named.
func (o Operator) SuspendOrganization(ctx context.Context, name string, suspended bool) error {
	return o.store.Write(ctx, func(tx cloud.Writer) error {
		named, err := organizationNamed(tx, name)
		if err != nil {
			return err
		}
		if err := tx.LockOrganization(named.ID); err != nil {
			return err
		}
		if named, err = tx.Organization(named.ID); err != nil {
			return err
		}
		at, changes := o.suspension(named.SuspendedAt, suspended)
		if !changes {
			return nil
		}
		if err := o.audit(tx, change{
			action: suspendAction("organization", suspended), target: string(named.ID), organization: named.ID,
			before: suspendedSince(named.SuspendedAt), after: suspendedSince(at),
		}); err != nil {
			return err
		}
		return tx.SuspendOrganization(named.ID, at) // which comes last, since it touches grants
	})
}

// SuspendUser suspends a person or a service account, in all organizations, or
// ends that. They may read, and change nothing, as in SuspendOrganization.
// CodeNotFound if nobody has the address.
func (o Operator) SuspendUser(ctx context.Context, email string, suspended bool) error {
	return o.store.Write(ctx, func(tx cloud.Writer) error {
		user, err := userByAddress(tx, email)
		if err != nil {
			return err
		}
		at, changes := o.suspension(user.SuspendedAt, suspended)
		if !changes {
			return nil
		}
		if err := o.audit(tx, change{
			action: suspendAction("user", suspended), target: string(user.ID),
			before: suspendedSince(user.SuspendedAt), after: suspendedSince(at),
		}); err != nil {
			return err
		}
		return tx.SuspendUser(user.ID, at) // the same
	})
}

// suspension returns since when something is to be suspended that was so since
// before, and whether that is news.
func (o Operator) suspension(before time.Time, suspended bool) (at time.Time, changes bool) {
	if suspended {
		at = o.now()
	}
	return at, before.IsZero() == suspended
}

func suspendAction(what string, suspended bool) string {
	if suspended {
		return what + ".suspend"
	}
	return what + ".resume"
}

func suspendedSince(at time.Time) any {
	if at.IsZero() {
		return nil
	}
	return map[string]any{"suspended_at": at}
}
