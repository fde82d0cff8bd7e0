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
	return CreateInvitation201JSONResponse(wireSentInvitation(invitation)), nil
}

func (h handlers) DeleteInvitation(ctx context.Context, r DeleteInvitationRequestObject) (DeleteInvitationResponseObject, error) {
	if err := h.Control.DeleteInvitation(ctx, callerOf(ctx), r.ID); err != nil {
		return nil, err
	}
	return DeleteInvitation204Response{}, nil
}

func (h handlers) ResendInvitation(ctx context.Context, r ResendInvitationRequestObject) (ResendInvitationResponseObject, error) {
	invitation, err := h.Control.ResendInvitation(ctx, callerOf(ctx), rest.Deref(r.Params.IdempotencyKey), r.ID)
	if err != nil {
		return nil, err
	}
	return ResendInvitation200JSONResponse(wireSentInvitation(invitation)), nil
}

func (h handlers) ListOwnInvitations(ctx context.Context, r ListOwnInvitationsRequestObject) (ListOwnInvitationsResponseObject, error) {
	page, err := pageOf(r.Params.Limit, r.Params.Cursor, byID)
	if err != nil {
		return nil, err
	}
	invitations, err := h.Control.OwnInvitations(ctx, callerOf(ctx), page)
	if err != nil {
		return nil, err
	}
	return answerList(ctx, page, invitations, wireOffer)
}

func (h handlers) AcceptInvitation(ctx context.Context, r AcceptInvitationRequestObject) (AcceptInvitationResponseObject, error) {
	which := control.WhichInvitation{Token: cloud.NewSecret(rest.Deref(r.Body.Token)), ID: rest.Deref(r.Body.ID)}
	joined, err := h.Control.AcceptInvitation(ctx, callerOf(ctx), rest.Deref(r.Params.IdempotencyKey), which)
	if err != nil {
		return nil, err
	}
	return AcceptInvitation200JSONResponse{Organization: wireOrganization(joined.Organization), Role: string(joined.Role)}, nil
}

func wireInvitation(i cloud.Invitation) Invitation {
	return Invitation{
		ID: string(i.ID), Email: string(i.Email), Role: string(i.Role), ExpiresAt: &i.ExpiresAt,
		Mail: rest.OrNil(InvitationMail(i.Mail)), MailError: rest.OrNil(i.MailError),
	}
}

func wireSentInvitation(i control.SentInvitation) Invitation {
	sent := wireInvitation(i.Invitation)
	sent.Link = rest.OrNil(i.Link)
	return sent
}

func wireOffer(o control.Offer) OwnInvitation {
	return OwnInvitation{
		ID: string(o.ID), Organization: wireOrganization(o.Organization), Email: string(o.Email), Role: string(o.Role),
		InvitedBy: rest.OrNil(o.Inviter.Name), ExpiresAt: o.ExpiresAt,
	}
}
