package rows

import (
	"cmp"
	"math"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
	"github.com/penstock-cloud/penstock/internal/store/regiondb"
)

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
		Reported:       cloud.Reported{Region: row.Region, ID: cloud.ID(row.ReportedID), At: instant(row.ReportedAt)},
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
		Region:         filter.Region,
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
		Region:         e.Reported.Region,
		ReportedID:     string(e.Reported.ID),
		ReportedAt:     micros(e.Reported.At),
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

func regionAuditEntry(row regiondb.AuditEntry) cloud.RegionAuditEntry {
	return cloud.RegionAuditEntry{Seq: uint64(row.Seq), AuditEntry: cloud.AuditEntry{
		ID:             cloud.ID(row.ID),
		At:             instant(row.At),
		OrganizationID: cloud.ID(row.OrganizationID),
		Actor:          cloud.Actor{Kind: cloud.ActorKind(row.ActorKind), ID: row.ActorID},
		Action:         row.Action,
		Target:         row.Target,
		Before:         row.Before,
		After:          row.After,
		Origin:         cloud.Origin{RequestID: row.RequestID, Address: row.Address},
	}}
}

// AuditEntries implements cloud.RegionReader.
func (r RegionReader) AuditEntries(organization cloud.ID, page cloud.Page) ([]cloud.AuditEntry, error) {
	rows, err := r.q.ListAuditEntries(r.ctx, regiondb.ListAuditEntriesParams{
		OrganizationID: string(organization),
		AfterID:        page.After,
		MaxRows:        rowLimit(page.Limit),
	})
	return each(rows, err, func(row regiondb.AuditEntry) cloud.AuditEntry { return regionAuditEntry(row).AuditEntry })
}

// AuditStream implements cloud.RegionReader.
func (r RegionReader) AuditStream() (cloud.AuditStream, error) {
	row, err := r.q.GetDaemon(r.ctx)
	return cloud.AuditStream{Seq: uint64(row.AuditSeq), Reported: uint64(row.AuditReported)}, err
}

// AuditSeq implements cloud.RegionReader.
func (r RegionReader) AuditSeq(id cloud.ID) (uint64, error) {
	seq, err := r.q.GetAuditSeq(r.ctx, string(id))
	return uint64(seq), missing(err, "there is no audit entry %s", id)
}

// AuditAfter implements cloud.RegionReader.
func (r RegionReader) AuditAfter(after uint64, limit int) ([]cloud.RegionAuditEntry, error) {
	if err := fits(after); err != nil {
		return nil, err
	}
	rows, err := r.q.ListAuditAfter(r.ctx, regiondb.ListAuditAfterParams{AfterSeq: int64(after), MaxRows: rowLimit(limit)})
	return each(rows, err, regionAuditEntry)
}

// AppendAudit implements cloud.RegionWriter.
func (w RegionWriter) AppendAudit(e cloud.AuditEntry) error {
	seq, err := w.q.NextAuditSeq(w.ctx)
	if err != nil {
		return err
	}
	n, err := w.q.AppendAudit(w.ctx, regiondb.AppendAuditParams{
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
		Seq:            seq,
	})
	return changed(n, err, errAuditTwice)
}

// SetAuditReported implements cloud.RegionWriter.
func (w RegionWriter) SetAuditReported(seq uint64) error {
	if err := fits(seq); err != nil {
		return err
	}
	return w.q.SetAuditReported(w.ctx, int64(seq))
}

// PruneAudit implements cloud.RegionWriter.
func (w RegionWriter) PruneAudit(before time.Time, limit int) error {
	stream, err := w.AuditStream()
	if err != nil {
		return err
	}
	return w.q.PruneAudit(w.ctx, regiondb.PruneAuditParams{
		Until: micros(before), Reported: int64(stream.Reported), MaxRows: rowLimit(limit),
	})
}
