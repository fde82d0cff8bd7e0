package rows

import (
	"cmp"
	"math"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
	"github.com/penstock-cloud/penstock/internal/store/regiondb"
)

// auditEntry is of either database: their tables are alike.
func auditEntry(row planedb.AuditEntry) cloud.AuditEntry {
	return cloud.AuditEntry{
		ID:             cloud.ID(row.ID),
		At:             instant(row.At),
		OrganizationID: cloud.ID(row.OrganizationID),
		Actor:          cloud.Actor{Kind: cloud.ActorKind(row.ActorKind), ID: row.ActorID},
		Action:         row.Action,
		Target:         row.Target,
		Before:         row.Before,
		After:          row.After,
		Origin:         cloud.Origin{RequestID: row.RequestID, Address: row.Address},
	}
}

// afterAll comes after the id of every entry.
const afterAll = "~"

// Audit implements cloud.Reader.
func (r Reader) Audit(organization cloud.ID, filter cloud.AuditFilter, page cloud.Page) ([]cloud.AuditEntry, error) {
	p := planedb.ListAuditEntriesParams{
		OrganizationID: string(organization),
		BeforeID:       cmp.Or(page.After, afterAll),
		Since:          math.MinInt64,
		Until:          math.MaxInt64,
		ActorID:        filter.ActorID,
		Action:         filter.Action,
		Target:         filter.Target,
		MaxRows:        rowLimit(page.Limit),
	}
	if !filter.Since.IsZero() {
		p.Since = micros(filter.Since)
	}
	if !filter.Until.IsZero() {
		p.Until = micros(filter.Until)
	}
	rows, err := r.q.ListAuditEntries(r.ctx, p)
	return each(rows, err, auditEntry)
}

// auditParams is what is stored of an entry, in either database.
func auditParams(e cloud.AuditEntry) planedb.AppendAuditParams {
	return planedb.AppendAuditParams{
		ID:             string(e.ID),
		At:             micros(e.At),
		OrganizationID: string(e.OrganizationID),
		ActorKind:      string(e.Actor.Kind),
		ActorID:        e.Actor.ID,
		Action:         e.Action,
		Target:         e.Target,
		Before:         e.Before,
		After:          e.After,
		RequestID:      e.Origin.RequestID,
		Address:        e.Origin.Address,
	}
}

var errAuditTwice = cloud.Conflict("there is an audit entry of that id already")

// AppendAudit implements cloud.Writer.
func (w Writer) AppendAudit(e cloud.AuditEntry) error {
	n, err := w.q.AppendAudit(w.ctx, auditParams(e))
	return changed(n, err, errAuditTwice)
}

// DeleteAudit implements cloud.Writer.
func (w Writer) DeleteAudit(before time.Time, limit int) (int64, error) {
	return w.q.DeleteAuditBefore(w.ctx, planedb.DeleteAuditBeforeParams{Until: micros(before), MaxRows: rowLimit(limit)})
}

// AuditEntries implements cloud.RegionReader.
func (r RegionReader) AuditEntries(organization cloud.ID, page cloud.Page) ([]cloud.AuditEntry, error) {
	rows, err := r.q.ListAuditEntries(r.ctx, regiondb.ListAuditEntriesParams{
		OrganizationID: string(organization),
		AfterID:        page.After,
		MaxRows:        rowLimit(page.Limit),
	})
	return each(rows, err, func(row regiondb.AuditEntry) cloud.AuditEntry { return auditEntry(planedb.AuditEntry(row)) })
}

// AppendAudit implements cloud.RegionWriter.
func (w RegionWriter) AppendAudit(e cloud.AuditEntry) error {
	n, err := w.q.AppendAudit(w.ctx, regiondb.AppendAuditParams(auditParams(e)))
	return changed(n, err, errAuditTwice)
}
