package storetest

import (
	"testing"
	"time"

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

func testAuditFilter(t *testing.T, open func() cloud.Store) {
	s := open()
	oldest, byBen, other, later, elsewhere := audited(701, acme.ID), audited(702, acme.ID), audited(703, acme.ID), audited(704, acme.ID), audited(705, beta.ID)
	byBen.Actor.ID, byBen.Target = string(ben.ID), string(cleo.ID)
	other.Action = "key.register"
	later.At = now.Add(time.Hour)
	write(t, s, func(w cloud.Writer) error {
		return first(w.AppendAudit(later), w.AppendAudit(oldest), w.AppendAudit(elsewhere), w.AppendAudit(other), w.AppendAudit(byBen))
	})
	for name, c := range map[string]struct {
		filter cloud.AuditFilter
		page   cloud.Page
		want   []cloud.AuditEntry
	}{
		"everything":         {cloud.AuditFilter{}, cloud.Page{}, []cloud.AuditEntry{later, other, byBen, oldest}},
		"a page":             {cloud.AuditFilter{}, cloud.Page{Limit: 2}, []cloud.AuditEntry{later, other}},
		"the next page":      {cloud.AuditFilter{}, cloud.Page{After: string(other.ID), Limit: 2}, []cloud.AuditEntry{byBen, oldest}},
		"the last page":      {cloud.AuditFilter{}, cloud.Page{After: string(oldest.ID), Limit: 2}, []cloud.AuditEntry{}},
		"an actor":           {cloud.AuditFilter{ActorID: string(ben.ID)}, cloud.Page{}, []cloud.AuditEntry{byBen}},
		"an action":          {cloud.AuditFilter{Action: "key.register"}, cloud.Page{}, []cloud.AuditEntry{other}},
		"a target":           {cloud.AuditFilter{Target: string(cleo.ID)}, cloud.Page{}, []cloud.AuditEntry{byBen}},
		"since":              {cloud.AuditFilter{Since: later.At}, cloud.Page{}, []cloud.AuditEntry{later}},
		"until":              {cloud.AuditFilter{Until: later.At}, cloud.Page{}, []cloud.AuditEntry{other, byBen, oldest}},
		"a span":             {cloud.AuditFilter{Since: now.Add(time.Microsecond), Until: later.At}, cloud.Page{}, []cloud.AuditEntry{}},
		"all of it":          {cloud.AuditFilter{ActorID: string(ada.ID), Action: "member.update", Since: now}, cloud.Page{Limit: 1}, []cloud.AuditEntry{later}},
		"what never was":     {cloud.AuditFilter{ActorID: string(ben.ID), Action: "key.register"}, cloud.Page{}, []cloud.AuditEntry{}},
		"a filter's letters": {cloud.AuditFilter{Action: "key.%"}, cloud.Page{}, []cloud.AuditEntry{}},
	} {
		t.Run(name, func(t *testing.T) { equal(t, "the entries", auditOf(t, s, acme.ID, c.filter, c.page), c.want) })
	}
}

// Entries end by their age, the oldest first, and some at a time.
func testAuditEnds(t *testing.T, open func() cloud.Store) {
	s := open()
	old, older, young := audited(701, acme.ID), audited(702, acme.ID), audited(703, "")
	old.At, older.At = now.Add(-time.Hour), now.Add(-2*time.Hour)
	write(t, s, func(w cloud.Writer) error {
		return first(w.AppendAudit(old), w.AppendAudit(older), w.AppendAudit(young))
	})
	for _, step := range []struct {
		want int64
		left []cloud.AuditEntry
	}{{1, []cloud.AuditEntry{old}}, {1, []cloud.AuditEntry{}}, {0, []cloud.AuditEntry{}}} {
		write(t, s, func(w cloud.Writer) error {
			n, err := w.DeleteAudit(now, 1)
			equal(t, "the number of entries that ended", n, step.want)
			return err
		})
		equal(t, "the entries that are left", auditOf(t, s, acme.ID, cloud.AuditFilter{}, cloud.Page{}), step.left)
	}
	equal(t, "the entry of that instant", auditOf(t, s, "", cloud.AuditFilter{}, cloud.Page{}), []cloud.AuditEntry{young})
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
