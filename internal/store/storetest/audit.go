package storetest

import (
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func audited(n int, organization cloud.ID) cloud.AuditEntry {
	return cloud.AuditEntry{
		ID: id(n), At: now, OrganizationID: organization,
		Actor:  cloud.Actor{Kind: cloud.ActorUser, ID: string(ada.ID)},
		Action: "member.update", Target: string(ben.ID), Before: `{"role":"viewer"}`, After: `{"role":"admin"}`,
		Origin: cloud.Origin{RequestID: "r-1", Address: "192.0.2.1"},
	}
}

func auditOf(t *testing.T, s cloud.Store, organization cloud.ID, filter cloud.AuditFilter, page cloud.Page) []cloud.AuditEntry {
	t.Helper()
	return read(t, s, func(r cloud.Reader) ([]cloud.AuditEntry, error) { return r.Audit(organization, filter, page) })
}

func testAudit(t *testing.T, open func() cloud.Store) {
	s := open()
	one, two, three, none := audited(701, acme.ID), audited(702, acme.ID), audited(703, beta.ID), audited(704, "")
	write(t, s, func(w cloud.Writer) error {
		return first(w.AppendAudit(two), w.AppendAudit(three), w.AppendAudit(one), w.AppendAudit(none))
	})
	for organization, want := range map[cloud.ID][]cloud.AuditEntry{
		acme.ID: {two, one}, beta.ID: {three}, "": {none}, id(1): {},
	} {
		equal(t, "the entries of "+string(organization), auditOf(t, s, organization, cloud.AuditFilter{}, cloud.Page{}), want)
	}
	refused(t, s, cloud.CodeConflict, "audit", func(w cloud.Writer) error { return w.AppendAudit(one) })
}

func testRegionAudit(t *testing.T, open func() cloud.RegionStore) {
	s := open()
	one, two, three := audited(701, acme.ID), audited(702, acme.ID), audited(703, beta.ID)
	change(t, s, func(w cloud.RegionWriter) error {
		return first(w.AppendAudit(two), w.AppendAudit(three), w.AppendAudit(one))
	})
	for page, want := range map[cloud.Page][]cloud.AuditEntry{
		{Limit: 10}: {one, two}, {Limit: 1}: {one}, {After: string(one.ID), Limit: 10}: {two}, {After: string(two.ID), Limit: 10}: {},
	} {
		got := see(t, s, func(r cloud.RegionReader) ([]cloud.AuditEntry, error) { return r.AuditEntries(acme.ID, page) })
		equal(t, "the entries after "+page.After, got, want)
	}
	denied(t, s, cloud.CodeConflict, "audit", func(w cloud.RegionWriter) error { return w.AppendAudit(one) })
}
