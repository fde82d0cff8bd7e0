package managementapi

import (
	"context"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/rest"
)

func (h handlers) ListKeys(ctx context.Context, r ListKeysRequestObject) (ListKeysResponseObject, error) {
	page, err := pageOf(r.Params.Limit, r.Params.Cursor, byName)
	if err != nil {
		return nil, err
	}
	keys, err := h.Control.SSHKeys(ctx, callerOf(ctx), page)
	if err != nil {
		return nil, err
	}
	return answerList(ctx, page, keys, wireKey)
}

func (h handlers) RegisterKey(ctx context.Context, r RegisterKeyRequestObject) (RegisterKeyResponseObject, error) {
	in := control.NewSSHKey{Name: r.Body.Name, Line: r.Body.Key}
	key, err := h.Control.RegisterSSHKey(ctx, callerOf(ctx), rest.Deref(r.Params.IdempotencyKey), in)
	if err != nil {
		return nil, err
	}
	return RegisterKey200JSONResponse(wireKey(key)), nil
}

func (h handlers) DeregisterKey(ctx context.Context, r DeregisterKeyRequestObject) (DeregisterKeyResponseObject, error) {
	if err := h.Control.DeregisterSSHKey(ctx, callerOf(ctx), r.Name); err != nil {
		return nil, err
	}
	return DeregisterKey204Response{}, nil
}

func wireKey(k cloud.SSHKey) SSHKey {
	return SSHKey{Name: k.Name, Key: k.Line, Fingerprint: &k.Fingerprint}
}
