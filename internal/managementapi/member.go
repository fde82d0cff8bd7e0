package managementapi

import (
	"context"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func (h handlers) ListMembers(ctx context.Context, r ListMembersRequestObject) (ListMembersResponseObject, error) {
	page, err := pageOf(r.Params.Limit, r.Params.Cursor, byID)
	if err != nil {
		return nil, err
	}
	members, err := h.Control.Members(ctx, callerOf(ctx), page)
	if err != nil {
		return nil, err
	}
	return answerList(ctx, page, members, wireMember)
}

func (h handlers) UpdateMember(ctx context.Context, r UpdateMemberRequestObject) (UpdateMemberResponseObject, error) {
	var role string
	if r.Body.Role != nil {
		role = string(*r.Body.Role)
	}
	member, err := h.Control.UpdateMember(ctx, callerOf(ctx), r.ID, role)
	if err != nil {
		return nil, err
	}
	return UpdateMember200JSONResponse(wireMember(member)), nil
}

func (h handlers) DeleteMember(ctx context.Context, r DeleteMemberRequestObject) (DeleteMemberResponseObject, error) {
	if err := h.Control.DeleteMember(ctx, callerOf(ctx), r.ID); err != nil {
		return nil, err
	}
	return DeleteMember204Response{}, nil
}

func wireMember(m cloud.Member) OrganizationMember {
	return OrganizationMember{ID: string(m.User.ID), Name: m.User.Name, Email: string(m.User.Email), Role: string(m.Role)}
}
