package rows

import (
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
)

var errNoMember = cloud.NotFound("the organization has no member of that id")

func member(m planedb.Member, u planedb.User) cloud.Member {
	return cloud.Member{
		OrganizationID: cloud.ID(m.OrganizationID),
		User:           user(u),
		Role:           cloud.Role(m.Role),
		JoinedAt:       instant(m.JoinedAt),
	}
}

// Member implements cloud.Reader.
func (r Reader) Member(organization, user cloud.ID) (cloud.Member, error) {
	row, err := r.q.GetMember(r.ctx, planedb.GetMemberParams{
		OrganizationID: string(organization),
		UserID:         string(user),
	})
	if err != nil {
		return cloud.Member{}, missing(err, "the organization has no member of that id")
	}
	return member(row.Member, row.User), nil
}

// Members implements cloud.Reader.
func (r Reader) Members(organization cloud.ID, page cloud.Page) ([]cloud.Member, error) {
	rows, err := r.q.ListMembers(r.ctx, planedb.ListMembersParams{
		OrganizationID: string(organization),
		AfterID:        page.After,
		MaxRows:        rowLimit(page.Limit),
	})
	return each(rows, err, func(row planedb.ListMembersRow) cloud.Member { return member(row.Member, row.User) })
}

// CountAdmins implements cloud.Reader.
func (r Reader) CountAdmins(organization cloud.ID) (int64, error) {
	n, err := r.q.CountAdmins(r.ctx, string(organization))
	return n, err
}

// AddMember implements cloud.Writer.
func (w Writer) AddMember(m cloud.Member) error {
	n, err := w.q.AddMember(w.ctx, planedb.AddMemberParams{
		OrganizationID: string(m.OrganizationID),
		UserID:         string(m.User.ID),
		Role:           string(m.Role),
		JoinedAt:       micros(m.JoinedAt),
	})
	if err := changed(n, err, cloud.Conflict("this user is a member of the organization already")); err != nil {
		return err
	}
	return w.touchMember(m.OrganizationID, m.User.ID)
}

// SetRole implements cloud.Writer.
func (w Writer) SetRole(organization, user cloud.ID, role cloud.Role) error {
	n, err := w.q.SetRole(w.ctx, planedb.SetRoleParams{
		Role:           string(role),
		OrganizationID: string(organization),
		UserID:         string(user),
	})
	if err := changed(n, err, errNoMember); err != nil {
		return err
	}
	return w.touchMember(organization, user)
}

// RemoveMember implements cloud.Writer.
func (w Writer) RemoveMember(organization, user cloud.ID) error {
	n, err := w.q.RemoveMember(w.ctx, planedb.RemoveMemberParams{
		OrganizationID: string(organization),
		UserID:         string(user),
	})
	if err := changed(n, err, errNoMember); err != nil {
		return err
	}
	return w.touchMember(organization, user)
}

func (w Writer) touchMember(organization, user cloud.ID) error {
	if err := w.touchAccounts(organization); err != nil {
		return err
	}
	return w.TouchGrants(cloud.GrantKey{Subject: user, Organization: organization})
}
