package managementapi

import (
	"context"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/rest"
)

func (h handlers) ListServiceAccounts(ctx context.Context, r ListServiceAccountsRequestObject) (ListServiceAccountsResponseObject, error) {
	page, err := pageOf(r.Params.Limit, r.Params.Cursor, byID)
	if err != nil {
		return nil, err
	}
	accounts, err := h.Control.ServiceAccounts(ctx, callerOf(ctx), page)
	if err != nil {
		return nil, err
	}
	return answerList(ctx, page, accounts, wireServiceAccount)
}

func (h handlers) GetServiceAccount(ctx context.Context, r GetServiceAccountRequestObject) (GetServiceAccountResponseObject, error) {
	account, err := h.Control.ServiceAccount(ctx, callerOf(ctx), r.ID)
	if err != nil {
		return nil, err
	}
	return answerWith(wireServiceAccount(account), "")
}

func (h handlers) CreateServiceAccount(ctx context.Context, r CreateServiceAccountRequestObject) (CreateServiceAccountResponseObject, error) {
	in := control.NewServiceAccount{Name: r.Body.Name, Role: string(r.Body.Role)}
	account, err := h.Control.CreateServiceAccount(ctx, callerOf(ctx), rest.Deref(r.Params.IdempotencyKey), in)
	if err != nil {
		return nil, err
	}
	return CreateServiceAccount201JSONResponse(wireServiceAccount(account)), nil
}

func (h handlers) UpdateServiceAccount(ctx context.Context, r UpdateServiceAccountRequestObject) (UpdateServiceAccountResponseObject, error) {
	account, err := h.Control.UpdateServiceAccount(ctx, callerOf(ctx), r.ID, string(rest.Deref(r.Body.Role)))
	if err != nil {
		return nil, err
	}
	return UpdateServiceAccount200JSONResponse(wireServiceAccount(account)), nil
}

func (h handlers) DeleteServiceAccount(ctx context.Context, r DeleteServiceAccountRequestObject) (DeleteServiceAccountResponseObject, error) {
	if err := h.Control.DeleteServiceAccount(ctx, callerOf(ctx), r.ID); err != nil {
		return nil, err
	}
	return DeleteServiceAccount204Response{}, nil
}

func wireServiceAccount(a cloud.ServiceAccount) ServiceAccount {
	return ServiceAccount{ID: string(a.ID), Name: a.Name, Role: string(a.Role), CreatedAt: a.CreatedAt}
}

func (h handlers) ListServiceAccountSecrets(ctx context.Context, r ListServiceAccountSecretsRequestObject) (ListServiceAccountSecretsResponseObject, error) {
	secrets, err := h.Control.ServiceSecrets(ctx, callerOf(ctx), r.ID)
	if err != nil {
		return nil, err
	}
	return answerWith(rest.Translate(secrets, wireServiceSecret), "")
}

func (h handlers) CreateServiceAccountSecret(ctx context.Context, r CreateServiceAccountSecretRequestObject) (CreateServiceAccountSecretResponseObject, error) {
	secret, text, err := h.Control.CreateServiceSecret(ctx, callerOf(ctx), r.ID)
	if err != nil {
		return nil, err
	}
	return CreateServiceAccountSecret201JSONResponse{ID: string(secret.ID), CreatedAt: secret.CreatedAt, Secret: text.Reveal()}, nil
}

func (h handlers) DeleteServiceAccountSecret(ctx context.Context, r DeleteServiceAccountSecretRequestObject) (DeleteServiceAccountSecretResponseObject, error) {
	if err := h.Control.DeleteServiceSecret(ctx, callerOf(ctx), r.ID, r.SecretID); err != nil {
		return nil, err
	}
	return DeleteServiceAccountSecret204Response{}, nil
}

func wireServiceSecret(s cloud.ServiceSecret) ServiceAccountSecret {
	wire := ServiceAccountSecret{ID: string(s.ID), CreatedAt: s.CreatedAt}
	if !s.LastUsedAt.IsZero() {
		wire.LastUsedAt = &s.LastUsedAt
	}
	return wire
}

func (h handlers) ListServiceAccountKeys(ctx context.Context, r ListServiceAccountKeysRequestObject) (ListServiceAccountKeysResponseObject, error) {
	page, err := pageOf(r.Params.Limit, r.Params.Cursor, byName)
	if err != nil {
		return nil, err
	}
	keys, err := h.Control.ServiceKeys(ctx, callerOf(ctx), r.ID, page)
	if err != nil {
		return nil, err
	}
	return answerList(ctx, page, keys, wireKey)
}

func (h handlers) RegisterServiceAccountKey(ctx context.Context, r RegisterServiceAccountKeyRequestObject) (RegisterServiceAccountKeyResponseObject, error) {
	in := control.NewSSHKey{Name: r.Body.Name, Line: r.Body.Key}
	key, err := h.Control.RegisterServiceKey(ctx, callerOf(ctx), r.ID, rest.Deref(r.Params.IdempotencyKey), in)
	if err != nil {
		return nil, err
	}
	return RegisterServiceAccountKey201JSONResponse(wireKey(key)), nil
}

func (h handlers) DeregisterServiceAccountKey(ctx context.Context, r DeregisterServiceAccountKeyRequestObject) (DeregisterServiceAccountKeyResponseObject, error) {
	if err := h.Control.DeregisterServiceKey(ctx, callerOf(ctx), r.ID, r.Name); err != nil {
		return nil, err
	}
	return DeregisterServiceAccountKey204Response{}, nil
}
