package rows

import (
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
)

func invitation(row planedb.Invitation) cloud.Invitation {
	return cloud.Invitation{
		ID:             cloud.ID(row.ID),
		OrganizationID: cloud.ID(row.OrganizationID),
		Email:          cloud.Email(row.Email),
		Role:           cloud.Role(row.Role),
		InvitedBy:      cloud.ID(row.InvitedBy),
		CreatedAt:      instant(row.CreatedAt),
		ExpiresAt:      instant(row.ExpiresAt),
	}
}

// Invitation implements cloud.Reader.
func (r Reader) Invitation(organization, id cloud.ID, now time.Time) (cloud.Invitation, error) {
	row, err := r.q.GetInvitation(r.ctx, planedb.GetInvitationParams{
		OrganizationID: string(organization),
		ID:             string(id),
		Now:            micros(now),
	})
	return invitation(row), missing(err, "the organization has no pending invitation of that id")
}

// Invitations implements cloud.Reader.
func (r Reader) Invitations(organization cloud.ID, now time.Time, page cloud.Page) ([]cloud.Invitation, error) {
	rows, err := r.q.ListInvitations(r.ctx, planedb.ListInvitationsParams{
		OrganizationID: string(organization),
		AfterID:        page.After,
		Now:            micros(now),
		MaxRows:        rowLimit(page.Limit),
	})
	return each(rows, err, invitation)
}

// CreateInvitation implements cloud.Writer.
func (w Writer) CreateInvitation(i cloud.Invitation) error {
	n, err := w.q.CreateInvitation(w.ctx, planedb.CreateInvitationParams{
		ID:             string(i.ID),
		OrganizationID: string(i.OrganizationID),
		Email:          string(i.Email),
		EmailKey:       i.Email.Key(),
		Role:           string(i.Role),
		InvitedBy:      string(i.InvitedBy),
		CreatedAt:      micros(i.CreatedAt),
		ExpiresAt:      micros(i.ExpiresAt),
	})
	if err := changed(n, err, cloud.Conflict("an invitation for %q is pending already; delete it to invite again", string(i.Email))); err != nil {
		return err
	}
	return w.touchAccounts(i.OrganizationID)
}

// DeleteExpiredInvitations implements cloud.Writer.
func (w Writer) DeleteExpiredInvitations(now time.Time) error {
	return w.q.DeleteExpiredInvitations(w.ctx, micros(now))
}

// DeleteInvitation implements cloud.Writer.
func (w Writer) DeleteInvitation(organization, id cloud.ID) error {
	n, err := w.q.DeleteInvitation(w.ctx, planedb.DeleteInvitationParams{
		OrganizationID: string(organization),
		ID:             string(id),
	})
	if err := changed(n, err, cloud.NotFound("the organization has no pending invitation of that id")); err != nil {
		return err
	}
	return w.touchAccounts(organization)
}
