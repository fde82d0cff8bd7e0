package managementapi

import (
	"context"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/rest"
)

func (h handlers) GetUser(ctx context.Context, _ GetUserRequestObject) (GetUserResponseObject, error) {
	account, err := h.Control.Account(ctx, callerOf(ctx))
	if err != nil {
		return nil, err
	}
	return answerWith(User{
		ID: string(account.User.ID), Email: string(account.User.Email), Name: account.User.Name,
		Relations: rest.Translate(account.Relations, wireRelation),
	}, "")
}

func wireRelation(r cloud.Relation) Relation {
	return Relation{OrgID: string(r.OrganizationID), Role: string(r.Role)}
}
