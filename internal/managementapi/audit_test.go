package managementapi_test

import (
	"github.com/penstock-cloud/penstock/internal/cloud"
)

// audited is the audit of everything that tenants did.
func (w *world) audited() []cloud.AuditEntry {
	w.t.Helper()
	var all []cloud.AuditEntry
	w.read(func(r cloud.Reader) error {
		all = nil
		for _, organization := range []cloud.ID{"", acme, globex} {
			entries, err := r.AuditEntries(organization, cloud.Page{})
			if err != nil {
				return err
			}
			all = append(all, entries...)
		}
		return nil
	})
	return all
}
