package managementapi

import (
	"context"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func (h handlers) ListOrganizations(ctx context.Context, r ListOrganizationsRequestObject) (ListOrganizationsResponseObject, error) {
	page, err := pageOf(r.Params.Limit, r.Params.Cursor, byID)
	if err != nil {
		return nil, err
	}
	organizations, err := h.Control.Organizations(ctx, callerOf(ctx), page)
	if err != nil {
		return nil, err
	}
	return answerList(ctx, page, organizations, wireOrganization)
}

func wireOrganization(o cloud.Organization) Organization {
	return Organization{ID: string(o.ID), Name: o.Name, DisplayName: o.DisplayName}
}
