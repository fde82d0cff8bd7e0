package managementapi

import (
	"context"
	"encoding/json"
	"net/url"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/rest"
)

func (h handlers) ListAudit(ctx context.Context, r ListAuditRequestObject) (ListAuditResponseObject, error) {
	page, err := pageOf(r.Params.Limit, r.Params.Cursor, byID)
	if err != nil {
		return nil, err
	}
	if page.Limit == 0 {
		page.Limit = cloud.MaxPage
	}
	filter := filterOf(r.Params)
	changes, err := h.Control.Audit(ctx, callerOf(ctx), filter, page)
	if err != nil {
		return nil, err
	}
	return answerFiltered(ctx, page, queryOf(filter), changes, wireChange)
}

func filterOf(p ListAuditParams) cloud.AuditFilter {
	return cloud.AuditFilter{
		ActorID: rest.Deref(p.Actor), Action: rest.Deref(p.Action), Target: rest.Deref(p.Target), Region: rest.Deref(p.Region),
		Since: rest.Deref(p.Since), Until: rest.Deref(p.Until),
	}
}

// queryOf is the filter as it is asked for.
func queryOf(f cloud.AuditFilter) url.Values {
	query := url.Values{}
	for name, text := range map[string]string{"actor": f.ActorID, "action": f.Action, "target": f.Target, "region": f.Region} {
		if text != "" {
			query.Set(name, text)
		}
	}
	for name, at := range map[string]time.Time{"since": f.Since, "until": f.Until} {
		if !at.IsZero() {
			query.Set(name, at.Format(time.RFC3339Nano))
		}
	}
	return query
}

func wireChange(c control.AuditedChange) AuditEntry {
	var reportedAt *time.Time
	if c.Reported.Region != "" {
		reportedAt = &c.Reported.At
	}
	return AuditEntry{
		ID: string(c.ID), At: c.At, Action: c.Action, Target: c.Target,
		Actor: AuditActor{
			Kind: string(c.Actor.Kind), ID: c.Actor.ID, Name: rest.OrNil(c.By.Name), Email: rest.OrNil(string(c.By.Email)),
		},
		Region: rest.OrNil(c.Reported.Region), ReportedAt: reportedAt,
		Before: rawOrNil(c.Before), After: rawOrNil(c.After),
		Address: rest.OrNil(c.Origin.Address), RequestID: rest.OrNil(c.Origin.RequestID),
	}
}

// rawOrNil is JSON as it was kept; nil for none.
func rawOrNil(text string) *json.RawMessage {
	if text == "" {
		return nil
	}
	raw := json.RawMessage(text)
	return &raw
}
