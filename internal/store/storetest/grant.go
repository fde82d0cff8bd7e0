package storetest

import (
	"fmt"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func testGrantChanges(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	revision := func() uint64 { return read(t, s, cloud.Reader.Plane).GrantRevision }
	after := func(n uint64, limit int) []cloud.GrantKey {
		return read(t, s, func(r cloud.Reader) ([]cloud.GrantKey, error) { return r.GrantChanges(n, limit) })
	}
	equal(t, "the revision when nobody belongs anywhere", revision(), uint64(0))

	laptop := cloud.SSHKey{UserID: ada.ID, Name: "laptop", Line: "ssh-ed25519 AAAA", Fingerprint: "SHA256:one", CreatedAt: now}
	inAcme, inBeta, everywhere := cloud.GrantKey{Subject: ada.ID, Organization: acme.ID}, cloud.GrantKey{Subject: ada.ID, Organization: beta.ID}, cloud.GrantKey{Subject: ada.ID}
	for i, step := range []struct {
		what   string
		do     func(cloud.Writer) error
		change cloud.GrantKey
	}{
		{"joins", func(w cloud.Writer) error {
			return w.AddMember(cloud.Member{OrganizationID: acme.ID, User: ada, Role: cloud.RoleAdmin, JoinedAt: now})
		}, inAcme},
		{"joins another", func(w cloud.Writer) error {
			return w.AddMember(cloud.Member{OrganizationID: beta.ID, User: ada, Role: cloud.RoleViewer, JoinedAt: now})
		}, inBeta},
		{"gets another role", func(w cloud.Writer) error { return w.SetRole(acme.ID, ada.ID, cloud.RoleViewer) }, inAcme},
		{"registers a key", func(w cloud.Writer) error { return w.CreateSSHKey(laptop) }, everywhere},
		{"deregisters it", func(w cloud.Writer) error { return w.DeleteSSHKey(ada.ID, "laptop") }, everywhere},
		{"goes", func(w cloud.Writer) error { return w.RemoveMember(beta.ID, ada.ID) }, inBeta},
	} {
		before := revision()
		write(t, s, step.do)
		equal(t, "the revision when one "+step.what, revision(), uint64(i+1))
		equal(t, "the changes when one "+step.what, after(before, 10), []cloud.GrantKey{step.change})
	}
	equal(t, "all changes", after(0, 10), []cloud.GrantKey{inAcme, everywhere, inBeta})
	equal(t, "the first of them", after(0, 1), []cloud.GrantKey{inAcme})
	equal(t, "the changes after the last", after(6, 10), []cloud.GrantKey{})

	// What is refused or taken back changes nothing.
	refused(t, s, cloud.CodeNotFound, "", func(w cloud.Writer) error { return w.RemoveMember(beta.ID, ada.ID) })
	refused(t, s, cloud.CodeNotFound, "", func(w cloud.Writer) error { return w.DeleteSSHKey(ada.ID, "laptop") })
	refused(t, s, cloud.CodeConflict, "", func(w cloud.Writer) error {
		return w.AddMember(cloud.Member{OrganizationID: acme.ID, User: ada, Role: cloud.RoleAdmin, JoinedAt: now})
	})
	equal(t, "the revision after refusals", revision(), uint64(6))
	equal(t, "the changes, opened again", read(t, open(), func(r cloud.Reader) ([]cloud.GrantKey, error) { return r.GrantChanges(0, 10) }),
		[]cloud.GrantKey{inAcme, everywhere, inBeta})
}

// Changes are forgotten by their number.
func testGrantChangesForgotten(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	write(t, s, func(w cloud.Writer) error {
		for n := range cloud.MaxGrantChanges/2 + 1 { // two changes each
			name := fmt.Sprint(n)
			if err := first(
				w.CreateSSHKey(cloud.SSHKey{UserID: ben.ID, Name: name, Fingerprint: name, CreatedAt: now}), w.DeleteSSHKey(ben.ID, name),
			); err != nil {
				return err
			}
			if n == 0 {
				if err := first(
					w.AddMember(cloud.Member{OrganizationID: acme.ID, User: ada, Role: cloud.RoleAdmin, JoinedAt: now}),
					w.AddMember(cloud.Member{OrganizationID: acme.ID, User: cleo, Role: cloud.RoleAdmin, JoinedAt: now}),
				); err != nil {
					return err
				}
			}
		}
		return nil
	})
	// In all 2 more than are remembered, and 2 of them that of ada and cleo.
	equal(t, "the revision", read(t, s, cloud.Reader.Plane).GrantRevision, uint64(cloud.MaxGrantChanges+4))
	equal(t, "the changes", read(t, s, func(r cloud.Reader) ([]cloud.GrantKey, error) { return r.GrantChanges(0, 10) }), []cloud.GrantKey{{Subject: ben.ID}})
	write(t, s, func(w cloud.Writer) error {
		return w.AddMember(cloud.Member{OrganizationID: beta.ID, User: ada, Role: cloud.RoleAdmin, JoinedAt: now})
	})
	equal(t, "the changes after one more", read(t, s, func(r cloud.Reader) ([]cloud.GrantKey, error) { return r.GrantChanges(0, 10) }),
		[]cloud.GrantKey{{Subject: ben.ID}, {Subject: ada.ID, Organization: beta.ID}})
}
