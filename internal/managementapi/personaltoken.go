package managementapi

import (
	"context"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/rest"
)

func (h handlers) ListPersonalTokens(ctx context.Context, r ListPersonalTokensRequestObject) (ListPersonalTokensResponseObject, error) {
	page, err := pageOf(r.Params.Limit, r.Params.Cursor, byID)
	if err != nil {
		return nil, err
	}
	tokens, err := h.Control.PersonalTokens(ctx, callerOf(ctx), page)
	if err != nil {
		return nil, err
	}
	return answerList(ctx, page, tokens, wirePersonalToken)
}

func (h handlers) CreatePersonalToken(ctx context.Context, r CreatePersonalTokenRequestObject) (CreatePersonalTokenResponseObject, error) {
	token, text, err := h.Control.CreatePersonalToken(ctx, callerOf(ctx), control.NewPersonalToken{
		Name: r.Body.Name, OrganizationID: rest.Deref(r.Body.OrganizationID), MaxRole: string(rest.Deref(r.Body.MaxRole)),
		ExpiresAt: rest.Deref(r.Body.ExpiresAt), ExpiresInDays: rest.Deref(r.Body.ExpiresInDays),
	})
	if err != nil {
		return nil, err
	}
	wire := wirePersonalToken(token)
	return CreatePersonalToken201JSONResponse{
		ID: wire.ID, Name: wire.Name, OrganizationID: wire.OrganizationID, MaxRole: wire.MaxRole,
		CreatedAt: wire.CreatedAt, ExpiresAt: wire.ExpiresAt, Token: text.Reveal(),
	}, nil
}

func (h handlers) DeletePersonalToken(ctx context.Context, r DeletePersonalTokenRequestObject) (DeletePersonalTokenResponseObject, error) {
	if err := h.Control.DeletePersonalToken(ctx, callerOf(ctx), r.ID); err != nil {
		return nil, err
	}
	return DeletePersonalToken204Response{}, nil
}

func wirePersonalToken(t cloud.PersonalToken) PersonalToken {
	return PersonalToken{
		ID: string(t.ID), Name: t.Name, OrganizationID: string(t.OrganizationID), MaxRole: rest.OrNil(string(t.MaxRole)),
		CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt,
	}
}
