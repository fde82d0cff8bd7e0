package rows

import (
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
)

// GrantChanges implements cloud.Reader.
func (r Reader) GrantChanges(after uint64, limit int) ([]cloud.GrantKey, error) {
	if err := fits(after); err != nil {
		return nil, err
	}
	rows, err := r.q.ListGrantChanges(r.ctx, planedb.ListGrantChangesParams{After: int64(after), MaxRows: rowLimit(limit)})
	return each(rows, err, func(row planedb.GrantChange) cloud.GrantKey {
		return cloud.GrantKey{Subject: cloud.ID(row.Subject), Organization: cloud.ID(row.OrganizationID)}
	})
}

// TouchGrants implements cloud.Writer. It forgets changes that are long past.
func (w Writer) TouchGrants(pattern cloud.GrantKey) error {
	revision, err := w.q.TouchGrants(w.ctx)
	if err != nil {
		return err
	}
	if err := w.q.PutGrantChange(w.ctx, planedb.PutGrantChangeParams{
		Subject:        string(pattern.Subject),
		OrganizationID: string(pattern.Organization),
		Revision:       revision,
	}); err != nil {
		return err
	}
	return w.q.DeleteGrantChanges(w.ctx, revision-cloud.MaxGrantChanges)
}
