package control

import (
	"context"
	"slices"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// AdmitOrganization lets an organization use a region, or not. What the region
// has of it is shown, or held aside, at once.
func (o Operator) AdmitOrganization(ctx context.Context, region, organization string, admitted bool) error {
	return o.changeAccess(ctx, region, func(tx cloud.Reader, a cloud.Access) (cloud.Access, error) {
		named, err := organizationNamed(tx, organization)
		return a.With(named.ID, admitted), err
	})
}

// AdmitAll opens a region to all organizations, or closes it to all; there are
// no exceptions then.
func (o Operator) AdmitAll(ctx context.Context, region string, admitted bool) error {
	return o.changeAccess(ctx, region, func(cloud.Reader, cloud.Access) (cloud.Access, error) {
		return cloud.Access{Closed: !admitted}, nil
	})
}

func (o Operator) changeAccess(ctx context.Context, region string, next func(cloud.Reader, cloud.Access) (cloud.Access, error)) error {
	return o.store.Write(ctx, func(tx cloud.Writer) error {
		link, err := tx.Link(region) // first, so that no message of the region comes in between
		if err != nil {
			return err
		}
		before, err := tx.Access(region)
		if err != nil {
			return err
		}
		after, err := next(tx, before)
		if err != nil || before.Closed == after.Closed && slices.Equal(before.Except, after.Except) {
			return err
		}
		if err := tx.SetAccess(region, after); err != nil {
			return err
		}
		touched, err := enforce(tx, region, after)
		if err != nil {
			return err
		}
		if err := noteAside(tx, link); err != nil {
			return err
		}
		if err := o.audit(tx, change{action: "region.access", target: region, before: before, after: after}); err != nil {
			return err
		}
		if err := tx.TouchFleet(touched); err != nil {
			return err
		}
		return touchGrants(tx, before, after)
	})
}

// touchGrants makes every region ask anew about the organizations for which the
// access differs. They come last, as fleets do, and after those.
func touchGrants(tx cloud.Writer, before, after cloud.Access) error {
	if before.Closed != after.Closed {
		return tx.TouchGrants(cloud.GrantKey{}) // nobody knows whom it leaves out
	}
	for _, id := range slices.Concat(before.Except, after.Except) {
		if before.Admits(id) == after.Admits(id) {
			continue
		}
		if err := tx.TouchGrants(cloud.GrantKey{Organization: id}); err != nil {
			return err
		}
	}
	return nil
}

// enforce shows and holds what the region has, as the access says, and returns
// the organizations for which that made a difference.
func enforce(tx cloud.Writer, region string, access cloud.Access) (touched []cloud.ID, err error) {
	organizations, err := tx.OrganizationsIn(region)
	if err != nil {
		return nil, err
	}
	for _, id := range organizations {
		apply := tx.DenyObjects
		if access.Admits(id) {
			apply = tx.AllowObjects
		}
		n, err := apply(region, id)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			touched = append(touched, id)
		}
	}
	return touched, nil
}

// noteAside counts anew what of the region is held or missing.
func noteAside(tx cloud.Writer, link cloud.Link) error {
	aside, err := tx.CountAside(link.Region)
	if err != nil {
		return err
	}
	link.NoteAside(aside)
	return tx.PutLink(link)
}

// accessFor closes a region to all but the organizations of these names.
func accessFor(tx cloud.Reader, names []string) (cloud.Access, error) {
	access := cloud.Access{Closed: true}
	for _, name := range names {
		organization, err := organizationNamed(tx, name)
		if err != nil {
			return access, err
		}
		access = access.With(organization.ID, true)
	}
	return access, nil
}

// latest is after every time that a clock ever gave.
var latest = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// AcceptMissing removes what of a region is held as missing, and returns how
// much that was.
func (o Operator) AcceptMissing(ctx context.Context, region string) (removed int64, err error) {
	err = o.store.Write(ctx, func(tx cloud.Writer) error {
		link, err := tx.Link(region)
		if err != nil {
			return err
		}
		aside, err := tx.CountAside(region)
		if err != nil {
			return err
		}
		if removed = aside.Missing; removed == 0 {
			return cloud.Conflict("nothing of region %s is held as missing, so there is nothing to accept", region)
		}
		lost, err := tx.DeleteMissing(region, latest)
		if err != nil {
			return err
		}
		if err := noteAside(tx, link); err != nil {
			return err
		}
		if err := o.audit(tx, change{
			action: "region.accept", target: region,
			before: map[string]any{"missing": aside.Missing, "since": aside.MissingSince},
		}); err != nil {
			return err
		}
		return tx.TouchFleet(lost)
	})
	return removed, err
}
