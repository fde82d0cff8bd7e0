package managementapi

import (
	"context"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/rest"
)

func (h handlers) ListInvitations(ctx context.Context, r ListInvitationsRequestObject) (ListInvitationsResponseObject, error) {
	page, err := pageOf(r.Params.Limit, r.Params.Cursor, byID)
	if err != nil {
		return nil, err
	}
	invitations, err := h.Control.Invitations(ctx, callerOf(ctx), page)
	if err != nil {
		return nil, err
	}
	return answerList(ctx, page, invitations, wireInvitation)
}

func (h handlers) CreateInvitation(ctx context.Context, r CreateInvitationRequestObject) (CreateInvitationResponseObject, error) {
	in := control.NewInvitation{Email: r.Body.Email, Role: rest.Deref(r.Body.Role)}
	invitation, err := h.Control.CreateInvitation(ctx, callerOf(ctx), rest.Deref(r.Params.IdempotencyKey), in)
	if err != nil {
		return nil, err
	}
	return CreateInvitation201JSONResponse(wireInvitation(invitation)), nil
}

func (h handlers) DeleteInvitation(ctx context.Context, r DeleteInvitationRequestObject) (DeleteInvitationResponseObject, error) {
	if err := h.Control.DeleteInvitation(ctx, callerOf(ctx), r.ID); err != nil {
		return nil, err
	}
	return DeleteInvitation204Response{}, nil
}

func wireInvitation(i cloud.Invitation) Invitation {
	return Invitation{ID: string(i.ID), Email: string(i.Email), Role: string(i.Role), ExpiresAt: &i.ExpiresAt}
}
