package rows

import (
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/regiondb"
)

// Spans implements cloud.RegionReader.
func (r RegionReader) Spans(machine cloud.ID) ([]cloud.Span, error) {
	rows, err := r.q.ListSpans(r.ctx, string(machine))
	return each(rows, err, func(row regiondb.Span) cloud.Span {
		return cloud.Span{
			ID:             cloud.ID(row.ID),
			MachineID:      cloud.ID(row.MachineID),
			OrganizationID: cloud.ID(row.OrganizationID),
			ProjectID:      cloud.ID(row.ProjectID),
			Type:           row.Type,
			Started:        row.Started,
			From:           instant(row.BegunAt),
			To:             instant(row.EndedAt),
		}
	})
}

// PutSpan implements cloud.RegionWriter.
func (w RegionWriter) PutSpan(s cloud.Span) error {
	return w.q.PutSpan(w.ctx, regiondb.PutSpanParams{
		ID:             string(s.ID),
		MachineID:      string(s.MachineID),
		OrganizationID: string(s.OrganizationID),
		ProjectID:      string(s.ProjectID),
		Type:           s.Type,
		Started:        s.Started,
		BegunAt:        micros(s.From),
		EndedAt:        micros(s.To),
	})
}
