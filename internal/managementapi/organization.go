package managementapi

import (
	"context"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/rest"
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

func (h handlers) CreateOrganization(ctx context.Context, r CreateOrganizationRequestObject) (CreateOrganizationResponseObject, error) {
	made, err := h.Control.FoundOrganization(ctx, callerOf(ctx), rest.Deref(r.Params.IdempotencyKey), r.Body.DisplayName)
	if err != nil {
		return nil, err
	}
	return CreateOrganization201JSONResponse(wireOrganization(made)), nil
}

func (h handlers) UpdateOrganization(ctx context.Context, r UpdateOrganizationRequestObject) (UpdateOrganizationResponseObject, error) {
	organization, err := h.Control.UpdateOrganization(ctx, callerOf(ctx), r.Body.DisplayName)
	if err != nil {
		return nil, err
	}
	return UpdateOrganization200JSONResponse(wireOrganization(organization)), nil
}

func (h handlers) LeaveOrganization(ctx context.Context, _ LeaveOrganizationRequestObject) (LeaveOrganizationResponseObject, error) {
	if err := h.Control.LeaveOrganization(ctx, callerOf(ctx)); err != nil {
		return nil, err
	}
	return LeaveOrganization204Response{}, nil
}

func wireOrganization(o cloud.Organization) Organization {
	return Organization{ID: string(o.ID), Name: o.Name, DisplayName: o.DisplayName}
}
