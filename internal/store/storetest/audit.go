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

// What a region reports has an id of its own there: it comes once from a region,
// and neither another region nor the plane is in its way.
func testAuditReported(t *testing.T, open func() cloud.Store) {
	s := open()
	own, west, east := audited(701, acme.ID), audited(702, acme.ID), audited(703, acme.ID)
	west.Reported = cloud.Reported{Region: "west-1", ID: own.ID, At: now.Add(-400 * 24 * time.Hour)}
	east.Reported = cloud.Reported{Region: "east-1", ID: own.ID, At: now.Add(time.Hour)}
	write(t, s, func(w cloud.Writer) error {
		return first(w.AppendAudit(own), w.AppendAudit(west), w.AppendAudit(east))
	})
	again := audited(704, acme.ID)
	again.Reported, again.Action = west.Reported, "member.remove"
	refused(t, s, cloud.CodeConflict, "audit", func(w cloud.Writer) error { return w.AppendAudit(again) })
	write(t, s, func(w cloud.Writer) error {
		if err := w.AppendAudit(again); cloud.CodeOf(err) != cloud.CodeConflict {
			t.Errorf("got %v", err)
		}
		return w.AppendAudit(audited(705, beta.ID)) // the transaction goes on
	})
	for region, want := range map[string][]cloud.AuditEntry{"": {east, west, own}, "west-1": {west}, "east-1": {east}, "north-1": {}} {
		equal(t, "the entries of "+region, auditOf(t, s, acme.ID, cloud.AuditFilter{Region: region}, cloud.Page{}), want)
	}
	equal(t, "what was appended after one that came again", len(auditOf(t, s, beta.ID, cloud.AuditFilter{}, cloud.Page{})), 1)
	write(t, s, func(w cloud.Writer) error {
		n, err := w.DeleteAudit(now, 10)
		equal(t, "the number of entries that end by a region's clock", n, int64(0))
		return err
	})
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

// The stream of a region's audit is in the order in which entries were appended,
// not in that of their ids.
func testRegionAuditStream(t *testing.T, open func() cloud.RegionStore) {
	s := open()
	stream := func(want cloud.AuditStream) {
		t.Helper()
		equal(t, "the stream", see(t, s, cloud.RegionReader.AuditStream), want)
	}
	after := func(seq uint64, limit int, want ...cloud.ID) {
		t.Helper()
		ids := []cloud.ID{}
		for _, e := range see(t, s, func(r cloud.RegionReader) ([]cloud.RegionAuditEntry, error) { return r.AuditAfter(seq, limit) }) {
			ids = append(ids, e.ID)
			equal(t, "the seq of an entry", see(t, s, func(r cloud.RegionReader) (uint64, error) { return r.AuditSeq(e.ID) }), e.Seq)
			if e.Seq <= seq {
				t.Errorf("seq %d is not after %d", e.Seq, seq)
			}
		}
		equal(t, "what follows", ids, append([]cloud.ID{}, want...))
	}
	stream(cloud.AuditStream{})
	after(0, 10)
	one, two, none := audited(701, acme.ID), audited(702, beta.ID), audited(703, "")
	one.At, two.At, none.At = now.Add(-time.Hour), now.Add(-time.Hour), now
	change(t, s, func(w cloud.RegionWriter) error { return w.AppendAudit(two) })
	change(t, s, func(w cloud.RegionWriter) error { return first(w.AppendAudit(none), w.AppendAudit(one)) })
	stream(cloud.AuditStream{Seq: 3})
	after(0, 10, two.ID, none.ID, one.ID)
	after(0, 1, two.ID)
	after(1, 10, none.ID, one.ID)
	after(3, 10)
	list := see(t, s, func(r cloud.RegionReader) ([]cloud.RegionAuditEntry, error) { return r.AuditAfter(0, 1) })
	equal(t, "an entry of the stream", list, []cloud.RegionAuditEntry{{AuditEntry: two, Seq: 1}})
	if err := s.Read(t.Context(), func(r cloud.RegionReader) error { _, err := r.AuditSeq(""); return err }); cloud.CodeOf(err) != cloud.CodeNotFound {
		t.Errorf("the seq of no entry: %v", err)
	}

	prune := func(reported uint64) {
		change(t, s, func(w cloud.RegionWriter) error {
			return first(w.SetAuditReported(reported), w.PruneAudit(now, 10))
		})
	}
	prune(0)
	stream(cloud.AuditStream{Seq: 3})
	after(0, 10, two.ID, none.ID, one.ID)
	prune(1) // which stays, as the last that the plane has
	after(0, 10, two.ID, none.ID, one.ID)
	prune(3)
	stream(cloud.AuditStream{Seq: 3, Reported: 3})
	after(0, 10, none.ID, one.ID)
	prune(0) // the plane has less than before
	change(t, s, func(w cloud.RegionWriter) error { return w.AppendAudit(two) })
	stream(cloud.AuditStream{Seq: 4})
	after(0, 10, none.ID, one.ID, two.ID)
	change(t, s, func(w cloud.RegionWriter) error {
		return first(w.SetAuditReported(4), w.PruneAudit(now.Add(time.Hour), 2))
	})
	after(0, 10, two.ID)
}
