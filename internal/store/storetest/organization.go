package storetest

import (
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func testOrganizations(t *testing.T, open func() cloud.Store) {
	s := open()
	missing(t, s, "the first organization of none", cloud.Reader.FirstOrganization)
	setTheStage(t, s)

	equal(t, "the organization", read(t, s, func(r cloud.Reader) (cloud.Organization, error) { return r.Organization(acme.ID) }), acme)
	equal(t, "the named organization", read(t, s, func(r cloud.Reader) (cloud.Organization, error) { return r.OrganizationByName("beta") }), beta)
	equal(t, "the oldest organization", read(t, s, cloud.Reader.FirstOrganization), beta)
	missing(t, s, "an unknown id", func(r cloud.Reader) (cloud.Organization, error) { return r.Organization(id(1)) })
	missing(t, s, "an unknown name", func(r cloud.Reader) (cloud.Organization, error) { return r.OrganizationByName("nobody") })

	refused(t, s, cloud.CodeConflict, "acme", func(w cloud.Writer) error {
		return w.CreateOrganization(cloud.Organization{ID: id(103), Name: "acme", CreatedAt: now})
	})
	write(t, s, func(w cloud.Writer) error { return w.LockOrganization(acme.ID) })
	refused(t, s, cloud.CodeNotFound, "organization", func(w cloud.Writer) error { return w.LockOrganization(id(1)) })

	none := []cloud.Organization{}
	ofAda := func(r cloud.Reader, p cloud.Page) ([]cloud.Organization, error) { return r.OrganizationsOf(ada.ID, p) }
	key := func(o cloud.Organization) string { return string(o.ID) }
	pagedIn(t, s, "the organizations of a user who belongs nowhere", none, key, ofAda)
	write(t, s, func(w cloud.Writer) error {
		return first(
			w.AddMember(cloud.Member{OrganizationID: beta.ID, User: ada, Role: cloud.RoleViewer, JoinedAt: now}),
			w.AddMember(cloud.Member{OrganizationID: acme.ID, User: ada, Role: cloud.RoleAdmin, JoinedAt: now}),
			w.AddMember(cloud.Member{OrganizationID: beta.ID, User: ben, Role: cloud.RoleAdmin, JoinedAt: now}),
		)
	})
	founded := func(user cloud.ID) int64 {
		return read(t, s, func(r cloud.Reader) (int64, error) { return r.CountFounded(user) })
	}
	write(t, s, func(w cloud.Writer) error {
		return w.CreateOrganization(cloud.Organization{ID: id(104), Name: "founded", CreatedAt: now, FoundedBy: ada.ID})
	})
	if n, others, nobodys := founded(ada.ID), founded(ben.ID), founded(""); n != 1 || others != 0 || nobodys != 0 {
		t.Errorf("Ada founded %d, Ben %d, nobody %d; want 1, 0, 0", n, others, nobodys)
	}
	equal(t, "the organization that Ada founded", read(t, s, func(r cloud.Reader) (cloud.ID, error) {
		o, err := r.Organization(id(104))
		return o.FoundedBy, err
	}), ada.ID)
	pagedIn(t, s, "the organizations of Ada", []cloud.Organization{acme, beta}, key, ofAda)
}
