package rows

import (
	"slices"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
)

var errNoOrganization = cloud.NotFound("there is no organization of that id")

func organization(row planedb.Organization) cloud.Organization {
	return cloud.Organization{
		ID:          cloud.ID(row.ID),
		Name:        row.Name,
		DisplayName: row.DisplayName,
		CreatedAt:   instant(row.CreatedAt),
		SuspendedAt: instant(row.SuspendedAt),
		FoundedBy:   cloud.ID(row.FoundedBy),
	}
}

// Organization implements cloud.Reader.
func (r Reader) Organization(id cloud.ID) (cloud.Organization, error) {
	row, err := r.q.GetOrganization(r.ctx, string(id))
	return organization(row), missing(err, "there is no organization of that id")
}

// OrganizationByName implements cloud.Reader.
func (r Reader) OrganizationByName(name string) (cloud.Organization, error) {
	row, err := r.q.GetOrganizationByName(r.ctx, name)
	return organization(row), missing(err, "there is no organization named %q", name)
}

// FirstOrganization implements cloud.Reader.
func (r Reader) FirstOrganization() (cloud.Organization, error) {
	row, err := r.q.GetFirstOrganization(r.ctx)
	return organization(row), missing(err, "there is no organization yet")
}

// OrganizationsOf implements cloud.Reader.
func (r Reader) OrganizationsOf(user cloud.ID, page cloud.Page) ([]cloud.Organization, error) {
	rows, err := r.q.ListOrganizationsOf(r.ctx, planedb.ListOrganizationsOfParams{
		UserID:  string(user),
		AfterID: page.After,
		MaxRows: rowLimit(page.Limit),
	})
	return each(rows, err, organization)
}

// CountFounded implements cloud.Reader.
func (r Reader) CountFounded(user cloud.ID) (int64, error) {
	return r.q.CountFounded(r.ctx, string(user))
}

// LockOrganization implements cloud.Writer.
func (w Writer) LockOrganization(id cloud.ID) error {
	n, err := w.q.LockOrganization(w.ctx, string(id))
	return changed(n, err, errNoOrganization)
}

// CreateOrganization implements cloud.Writer.
func (w Writer) CreateOrganization(o cloud.Organization) error {
	n, err := w.q.CreateOrganization(w.ctx, planedb.CreateOrganizationParams{
		ID:          string(o.ID),
		Name:        o.Name,
		DisplayName: o.DisplayName,
		CreatedAt:   micros(o.CreatedAt),
		FoundedBy:   string(o.FoundedBy),
	})
	if err := changed(n, err, cloud.Conflict("there is an organization named %q already", o.Name)); err != nil {
		return err
	}
	return w.q.CreateFleet(w.ctx, string(o.ID))
}

// UpdateOrganization implements cloud.Writer.
func (w Writer) UpdateOrganization(id cloud.ID, displayName string) error {
	n, err := w.q.UpdateOrganization(w.ctx, planedb.UpdateOrganizationParams{DisplayName: displayName, ID: string(id)})
	return changed(n, err, errNoOrganization)
}

// SuspendOrganization implements cloud.Writer.
func (w Writer) SuspendOrganization(id cloud.ID, at time.Time) error {
	n, err := w.q.SuspendOrganization(w.ctx, planedb.SuspendOrganizationParams{SuspendedAt: micros(at), ID: string(id)})
	if err := changed(n, err, errNoOrganization); err != nil {
		return err
	}
	return w.TouchGrants(cloud.GrantKey{Organization: id})
}

// TouchFleet implements cloud.Writer.
func (w Writer) TouchFleet(organizations []cloud.ID) error {
	for _, id := range slices.Compact(slices.Sorted(slices.Values(organizations))) {
		if err := w.q.TouchFleet(w.ctx, string(id)); err != nil {
			return err
		}
	}
	return nil
}

// touchAccounts notes that the members or invitations of an organization
// changed.
func (w Writer) touchAccounts(organization cloud.ID) error {
	return w.q.TouchAccounts(w.ctx, string(organization))
}
