package memory

import (
	"slices"
	"strings"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

var errAuditTwice = cloud.Conflict("there is an audit entry of that id already")

func (t planeTransaction) AppendAudit(e cloud.AuditEntry) error {
	for _, other := range t.audit {
		if other.ID == e.ID || e.Reported.Region != "" && other.Reported.Region == e.Reported.Region && other.Reported.ID == e.Reported.ID {
			return errAuditTwice
		}
	}
	e.At, e.Reported.At = stored(e.At), stored(e.Reported.At)
	t.audit = append(t.audit, e)
	return nil
}

func (t planeTransaction) Audit(organization cloud.ID, filter cloud.AuditFilter, page cloud.Page) ([]cloud.AuditEntry, error) {
	list := []cloud.AuditEntry{}
	for _, e := range t.audit {
		if e.OrganizationID == organization && (page.After == "" || string(e.ID) < page.After) && passes(e, filter) {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b cloud.AuditEntry) int { return strings.Compare(string(b.ID), string(a.ID)) })
	return first(list, page.Limit), nil
}

func passes(e cloud.AuditEntry, f cloud.AuditFilter) bool {
	for _, text := range [][2]string{{f.ActorID, e.Actor.ID}, {f.Action, e.Action}, {f.Target, e.Target}, {f.Region, e.Reported.Region}} {
		if text[0] != "" && text[0] != text[1] {
			return false
		}
	}
	return !e.At.Before(f.Since) && (f.Until.IsZero() || e.At.Before(f.Until))
}

func (t regionTransaction) AuditEntries(organization cloud.ID, page cloud.Page) ([]cloud.AuditEntry, error) {
	list := []cloud.AuditEntry{}
	for _, e := range t.audit {
		if e.OrganizationID == organization && string(e.ID) > page.After {
			list = append(list, e.AuditEntry)
		}
	}
	slices.SortFunc(list, func(a, b cloud.AuditEntry) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return first(list, page.Limit), nil
}

func (t regionTransaction) AppendAudit(e cloud.AuditEntry) error {
	if slices.ContainsFunc(t.audit, func(other cloud.RegionAuditEntry) bool { return other.ID == e.ID }) {
		return errAuditTwice
	}
	e.At = stored(e.At)
	t.audited.Seq++
	t.audit = append(slices.Clip(t.audit), cloud.RegionAuditEntry{AuditEntry: e, Seq: t.audited.Seq})
	return nil
}

func (t regionTransaction) AuditStream() (cloud.AuditStream, error) { return t.audited, nil }

func (t regionTransaction) AuditSeq(id cloud.ID) (uint64, error) {
	for _, e := range t.audit {
		if e.ID == id {
			return e.Seq, nil
		}
	}
	return 0, cloud.NotFound("there is no audit entry %s", id)
}

func (t regionTransaction) AuditAfter(after uint64, limit int) ([]cloud.RegionAuditEntry, error) {
	list := []cloud.RegionAuditEntry{}
	for _, e := range t.audit {
		if e.Seq > after {
			list = append(list, e)
		}
	}
	return first(list, limit), nil
}

func (t regionTransaction) SetAuditReported(seq uint64) error {
	t.audited.Reported = seq
	return nil
}

func (t regionTransaction) PruneAudit(before time.Time, limit int) error {
	left := []cloud.RegionAuditEntry{}
	pruned := 0
	for _, e := range t.audit {
		if e.At.Before(before) && e.Seq < t.audited.Reported && pruned < limit {
			pruned++
			continue
		}
		left = append(left, e)
	}
	t.audit = left
	return nil
}
