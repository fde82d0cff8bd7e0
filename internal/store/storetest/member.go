package storetest

import (
	"sync"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func testMembers(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	admin := cloud.Member{OrganizationID: acme.ID, User: ada, Role: cloud.RoleAdmin, JoinedAt: now}
	viewer := cloud.Member{OrganizationID: acme.ID, User: ben, Role: cloud.RoleViewer, JoinedAt: now}
	stranger := cloud.Member{OrganizationID: beta.ID, User: cleo, Role: cloud.RoleAdmin, JoinedAt: now}
	write(t, s, func(w cloud.Writer) error {
		return first(w.AddMember(viewer), w.AddMember(admin), w.AddMember(stranger))
	})

	equal(t, "the member", read(t, s, func(r cloud.Reader) (cloud.Member, error) { return r.Member(acme.ID, ada.ID) }), admin)
	missing(t, s, "a member of another organization", func(r cloud.Reader) (cloud.Member, error) { return r.Member(acme.ID, cleo.ID) })
	key := func(m cloud.Member) string { return string(m.User.ID) }
	pagedIn(t, s, "the members", []cloud.Member{admin, viewer}, key,
		func(r cloud.Reader, p cloud.Page) ([]cloud.Member, error) { return r.Members(acme.ID, p) })
	pagedIn(t, s, "the members of nothing", nil, key,
		func(r cloud.Reader, p cloud.Page) ([]cloud.Member, error) { return r.Members(id(1), p) })
	admins := func(r cloud.Reader) (int64, error) { return r.CountAdmins(acme.ID) }
	equal(t, "the number of admins", read(t, s, admins), int64(1))

	refused(t, s, cloud.CodeConflict, "member", func(w cloud.Writer) error { return w.AddMember(admin) })
	for what, change := range map[string]func(cloud.Writer) error{
		"a member of no organization": func(w cloud.Writer) error {
			return w.AddMember(cloud.Member{OrganizationID: id(1), User: ada, Role: cloud.RoleViewer, JoinedAt: now})
		},
		"a member who is no user": func(w cloud.Writer) error {
			return w.AddMember(cloud.Member{OrganizationID: acme.ID, User: cloud.User{ID: id(1)}, Role: cloud.RoleViewer, JoinedAt: now})
		},
		"the role of a stranger":    func(w cloud.Writer) error { return w.SetRole(acme.ID, cleo.ID, cloud.RoleAdmin) },
		"the removal of a stranger": func(w cloud.Writer) error { return w.RemoveMember(acme.ID, cleo.ID) },
	} {
		t.Run(what, func(t *testing.T) { refused(t, s, cloud.CodeNotFound, "", change) })
	}

	write(t, s, func(w cloud.Writer) error { return w.SetRole(acme.ID, ben.ID, cloud.RoleAdmin) })
	equal(t, "the number of admins after a promotion", read(t, s, admins), int64(2))
	write(t, s, func(w cloud.Writer) error { return w.RemoveMember(acme.ID, ada.ID) })
	missing(t, s, "one who was removed", func(r cloud.Reader) (cloud.Member, error) { return r.Member(acme.ID, ada.ID) })
	equal(t, "the number of admins after a removal", read(t, s, admins), int64(1))
}

// Two admins who demote each other at the same time: one of them succeeds.
func testLastAdmin(t *testing.T, open func() cloud.Store) {
	s, other := open(), open() // as by two processes
	setTheStage(t, s)
	write(t, s, func(w cloud.Writer) error {
		return first(
			w.AddMember(cloud.Member{OrganizationID: acme.ID, User: ada, Role: cloud.RoleAdmin, JoinedAt: now}),
			w.AddMember(cloud.Member{OrganizationID: acme.ID, User: ben, Role: cloud.RoleAdmin, JoinedAt: now}),
		)
	})
	demote := func(s cloud.Store, user cloud.ID) error {
		return s.Write(t.Context(), func(w cloud.Writer) error {
			if err := w.LockOrganization(acme.ID); err != nil {
				return err
			}
			m, err := w.Member(acme.ID, user)
			if err != nil {
				return err
			}
			admins, err := w.CountAdmins(acme.ID)
			if err != nil {
				return err
			}
			if err := cloud.CheckLastAdmin(m, cloud.RoleViewer, admins); err != nil {
				return err
			}
			return w.SetRole(acme.ID, user, cloud.RoleViewer)
		})
	}
	var demotions sync.WaitGroup
	errs := make([]error, 2)
	demotions.Go(func() { errs[0] = demote(s, ada.ID) })
	demotions.Go(func() { errs[1] = demote(other, ben.ID) })
	demotions.Wait()

	if (errs[0] == nil) == (errs[1] == nil) {
		t.Errorf("the two demotions ended with %v and %v; want one of them refused", errs[0], errs[1])
	}
	for _, err := range errs {
		if err != nil {
			wantCode(t, err, cloud.CodeConflict, "last admin")
		}
	}
	admins := read(t, s, func(r cloud.Reader) (int64, error) { return r.CountAdmins(acme.ID) })
	equal(t, "the number of admins left", admins, int64(1))
}
