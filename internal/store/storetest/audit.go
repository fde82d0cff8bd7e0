package storetest

import (
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func testAudit(t *testing.T, open func() cloud.Store) {
	s := open()
	entry := func(n int, organization cloud.ID) cloud.AuditEntry {
		return cloud.AuditEntry{
			ID: id(n), At: now, OrganizationID: organization,
			Actor:  cloud.Actor{Kind: cloud.ActorUser, ID: string(ada.ID)},
			Action: "member.update", Target: string(ben.ID), Before: `{"role":"viewer"}`, After: `{"role":"admin"}`,
			Origin: cloud.Origin{RequestID: "r-1", Address: "192.0.2.1"},
		}
	}
	one, two, three, none := entry(701, acme.ID), entry(702, acme.ID), entry(703, beta.ID), entry(704, "")
	write(t, s, func(w cloud.Writer) error {
		return first(w.AppendAudit(two), w.AppendAudit(three), w.AppendAudit(one), w.AppendAudit(none))
	})
	for organization, want := range map[cloud.ID][]cloud.AuditEntry{
		acme.ID: {one, two}, beta.ID: {three}, "": {none}, id(1): {},
	} {
		pagedIn(t, s, "the entries of "+string(organization), want, func(e cloud.AuditEntry) string { return string(e.ID) },
			func(r cloud.Reader, p cloud.Page) ([]cloud.AuditEntry, error) { return r.AuditEntries(organization, p) })
	}
	refused(t, s, cloud.CodeConflict, "audit", func(w cloud.Writer) error { return w.AppendAudit(one) })
}
