package rows

import (
	"cmp"
	"slices"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
)

var errNoInvitation = cloud.NotFound("the organization has no pending invitation of that id")

func invitation(row planedb.Invitation) cloud.Invitation {
	return cloud.Invitation{
		ID:             cloud.ID(row.ID),
		OrganizationID: cloud.ID(row.OrganizationID),
		Email:          cloud.Email(row.Email),
		Role:           cloud.Role(row.Role),
		InvitedBy:      cloud.ID(row.InvitedBy),
		CreatedAt:      instant(row.CreatedAt),
		ExpiresAt:      instant(row.ExpiresAt),
		Generation:     row.Generation,
	}
}

func mailedInvitation(row planedb.ListInvitationsRow) cloud.Invitation {
	i := invitation(row.Invitation)
	i.Mail, i.MailError = cloud.MailState(row.Mail), row.MailError
	return i
}

// Invitation implements cloud.Reader.
func (r Reader) Invitation(organization, id cloud.ID, now time.Time) (cloud.Invitation, error) {
	i, err := r.invitationByID(id, now)
	if err != nil {
		return i, absent(err, errNoInvitation)
	}
	if i.OrganizationID != organization {
		return cloud.Invitation{}, errNoInvitation
	}
	return i, nil
}

// InvitationByID implements cloud.Reader.
func (r Reader) InvitationByID(id cloud.ID, now time.Time) (cloud.Invitation, error) {
	i, err := r.invitationByID(id, now)
	return i, absent(err, cloud.ErrNoInvitation)
}

func (r Reader) invitationByID(id cloud.ID, now time.Time) (cloud.Invitation, error) {
	row, err := r.q.GetInvitation(r.ctx, planedb.GetInvitationParams{ID: string(id), Now: micros(now)})
	return mailedInvitation(planedb.ListInvitationsRow(row)), err
}

// InvitationsTo implements cloud.Reader.
func (r Reader) InvitationsTo(emails []cloud.Email, now time.Time) ([]cloud.Invitation, error) {
	keys := make(map[string]bool, len(emails))
	for _, email := range emails {
		keys[email.Key()] = true
	}
	invitations := []cloud.Invitation{}
	for key := range keys {
		rows, err := r.q.ListInvitationsTo(r.ctx, planedb.ListInvitationsToParams{EmailKey: key, Now: micros(now)})
		some, err := each(rows, err, func(row planedb.ListInvitationsToRow) cloud.Invitation {
			return mailedInvitation(planedb.ListInvitationsRow(row))
		})
		if err != nil {
			return nil, err
		}
		invitations = append(invitations, some...)
	}
	slices.SortFunc(invitations, func(a, b cloud.Invitation) int { return cmp.Compare(a.ID, b.ID) })
	return invitations, nil
}

// Invitations implements cloud.Reader.
func (r Reader) Invitations(organization cloud.ID, now time.Time, page cloud.Page) ([]cloud.Invitation, error) {
	rows, err := r.q.ListInvitations(r.ctx, planedb.ListInvitationsParams{
		OrganizationID: string(organization),
		AfterID:        page.After,
		Now:            micros(now),
		MaxRows:        rowLimit(page.Limit),
	})
	return each(rows, err, mailedInvitation)
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
		Generation:     i.Generation,
	})
	if err := changed(n, err, cloud.Conflict("an invitation for %q is pending already; resend it, or delete it to invite again", string(i.Email))); err != nil {
		return err
	}
	return w.touchAccounts(i.OrganizationID)
}

// RenewInvitation implements cloud.Writer.
func (w Writer) RenewInvitation(organization, id cloud.ID, now, expires time.Time) (cloud.Invitation, error) {
	row, err := w.q.RenewInvitation(w.ctx, planedb.RenewInvitationParams{
		ExpiresAt:      micros(expires),
		OrganizationID: string(organization),
		ID:             string(id),
		Now:            micros(now),
	})
	if err != nil {
		return cloud.Invitation{}, absent(err, errNoInvitation)
	}
	return invitation(row), w.touchAccounts(organization)
}

// TakeInvitation implements cloud.Writer. It holds the organization before the
// invitation, as whoever changes invitations does, so that no two of them wait
// for each other.
func (w Writer) TakeInvitation(id cloud.ID, generation int64, now time.Time) (cloud.Invitation, error) {
	seen, err := w.InvitationByID(id, now)
	if err != nil {
		return cloud.Invitation{}, err
	}
	if err := w.touchAccounts(seen.OrganizationID); err != nil {
		return cloud.Invitation{}, err
	}
	row, err := w.q.TakeInvitation(w.ctx, planedb.TakeInvitationParams{ID: string(id), Generation: generation, Now: micros(now)})
	return invitation(row), absent(err, cloud.ErrNoInvitation)
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
	if err := changed(n, err, errNoInvitation); err != nil {
		return err
	}
	return w.touchAccounts(organization)
}

// CountInvitations implements cloud.Reader.
func (r Reader) CountInvitations(organization cloud.ID, now time.Time) (int64, error) {
	return r.q.CountInvitations(r.ctx, planedb.CountInvitationsParams{OrganizationID: string(organization), Now: micros(now)})
}
