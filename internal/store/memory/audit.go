package memory

import (
	"slices"
	"strings"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func (t regionTransaction) AuditEntries(organization cloud.ID, page cloud.Page) ([]cloud.AuditEntry, error) {
	list := []cloud.AuditEntry{}
	for _, e := range t.audit {
		if e.OrganizationID == organization && string(e.ID) > page.After {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b cloud.AuditEntry) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return first(list, page.Limit), nil
}

func (t regionTransaction) AppendAudit(e cloud.AuditEntry) error {
	if slices.ContainsFunc(t.audit, func(other cloud.AuditEntry) bool { return other.ID == e.ID }) {
		return cloud.Conflict("there is an audit entry of that id already")
	}
	e.At = stored(e.At)
	t.audit = append(slices.Clip(t.audit), e)
	return nil
}
