package storetest

import (
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func testSuspension(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	write(t, s, func(w cloud.Writer) error {
		return first(
			w.AddMember(cloud.Member{OrganizationID: acme.ID, User: ada, Role: cloud.RoleAdmin, JoinedAt: now}),
			w.AddMember(cloud.Member{OrganizationID: beta.ID, User: ada, Role: cloud.RoleViewer, JoinedAt: now}),
		)
	})
	user, inAcme, inBeta := ada, cloud.Relation{OrganizationID: acme.ID, Role: cloud.RoleAdmin}, cloud.Relation{OrganizationID: beta.ID, Role: cloud.RoleViewer}
	organization := acme
	check := func(what string, change cloud.GrantKey, do func(cloud.Writer) error) {
		t.Helper()
		revision := read(t, s, cloud.Reader.Plane).GrantRevision
		write(t, s, do)
		got, err := s.Standing(t.Context(), ada.ID)
		if err != nil {
			t.Fatalf("Standing: %v", err)
		}
		equal(t, "the standing "+what, got, cloud.Standing{User: user, Relations: []cloud.Relation{inAcme, inBeta}})
		equal(t, "the user "+what, read(t, s, func(r cloud.Reader) (cloud.User, error) { return r.User(ada.ID) }), user)
		equal(t, "the organization "+what, read(t, s, organizationByName("acme")), organization)
		equal(t, "the grants that changed "+what, read(t, s, func(r cloud.Reader) ([]cloud.GrantKey, error) { return r.GrantChanges(revision, 10) }),
			[]cloud.GrantKey{change})
	}
	suspendUser := func(at time.Time) func(cloud.Writer) error {
		return func(w cloud.Writer) error { return w.SuspendUser(ada.ID, at) }
	}
	suspendAcme := func(at time.Time) func(cloud.Writer) error {
		return func(w cloud.Writer) error { return w.SuspendOrganization(acme.ID, at) }
	}
	user.SuspendedAt = now
	check("of a suspended user", cloud.GrantKey{Subject: ada.ID}, suspendUser(now))
	inAcme.Suspended, organization.SuspendedAt = true, now.Add(time.Hour)
	check("when the organization is too", cloud.GrantKey{Organization: acme.ID}, suspendAcme(now.Add(time.Hour)))
	user.SuspendedAt = time.Time{}
	check("when the user no longer is", cloud.GrantKey{Subject: ada.ID}, suspendUser(time.Time{}))
	inAcme.Suspended, organization.SuspendedAt = false, time.Time{}
	check("when nobody is", cloud.GrantKey{Organization: acme.ID}, suspendAcme(time.Time{}))

	refused(t, s, cloud.CodeNotFound, "user", func(w cloud.Writer) error { return w.SuspendUser(id(1), now) })
	refused(t, s, cloud.CodeNotFound, "organization", func(w cloud.Writer) error { return w.SuspendOrganization(id(1), now) })

	organization.DisplayName = "Acme GmbH"
	write(t, s, func(w cloud.Writer) error { return w.UpdateOrganization(acme.ID, "Acme GmbH") })
	equal(t, "the organization of another name", read(t, s, organizationByName("acme")), organization)
	refused(t, s, cloud.CodeNotFound, "organization", func(w cloud.Writer) error { return w.UpdateOrganization(id(1), "") })
}
