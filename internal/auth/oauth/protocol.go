package oauth

import (
	"context"
	"slices"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// protocol puts the server behind the library's routes: it translates, and
// decides nothing. It implements op.Server; what it lacks is not supported.
type protocol struct {
	op.UnimplementedServer
	server *Server
}

// answered puts what the server answers into the library's form.
func answered[T any](ctx context.Context, s *Server, data T, err error) (*op.Response, error) {
	if err != nil {
		return nil, s.refusal(ctx, err)
	}
	return op.NewResponse(data), nil
}

// VerifyAuthRequest implements op.Server, as do the following.
func (p protocol) VerifyAuthRequest(ctx context.Context, r *op.Request[oidc.AuthRequest]) (*op.ClientRequest[oidc.AuthRequest], error) {
	c, err := p.server.authorizeClient(ctx, r.Data.ClientID, r.Data.RedirectURI)
	if err != nil {
		return nil, p.server.refusal(ctx, err)
	}
	return &op.ClientRequest[oidc.AuthRequest]{Request: r, Client: c}, nil
}

func (p protocol) Authorize(ctx context.Context, r *op.ClientRequest[oidc.AuthRequest]) (*op.Redirect, error) {
	page, err := p.server.authorize(ctx, r.Client.GetID(), r.Data)
	if err != nil {
		return nil, p.server.refusal(ctx, err)
	}
	return op.NewRedirect(page), nil
}

func (p protocol) VerifyClient(ctx context.Context, r *op.Request[op.ClientCredentials]) (op.Client, error) {
	c, err := p.server.verifyClient(ctx, r.Data.ClientID, cloud.NewSecret(r.Data.ClientSecret))
	if err != nil {
		return nil, p.server.refusal(ctx, err)
	}
	return c, nil
}

func (p protocol) CodeExchange(ctx context.Context, r *op.ClientRequest[oidc.AccessTokenRequest]) (*op.Response, error) {
	tokens, err := p.server.exchangeCode(ctx, r.Client.GetID(), r.Data)
	return answered(ctx, p.server, tokens, err)
}

func (p protocol) RefreshToken(ctx context.Context, r *op.ClientRequest[oidc.RefreshTokenRequest]) (*op.Response, error) {
	tokens, err := p.server.refresh(ctx, r.Client.GetID(), cloud.NewSecret(r.Data.RefreshToken), r.Data.Scopes)
	return answered(ctx, p.server, tokens, err)
}

func (p protocol) ClientCredentialsExchange(ctx context.Context, r *op.ClientRequest[oidc.ClientCredentialsRequest]) (*op.Response, error) {
	tokens, err := p.server.serviceTokens(ctx, r.Client.(client).account)
	return answered(ctx, p.server, tokens, err)
}

func (p protocol) DeviceAuthorization(ctx context.Context, r *op.ClientRequest[oidc.DeviceAuthorizationRequest]) (*op.Response, error) {
	if !slices.Contains(r.Client.GrantTypes(), oidc.GrantTypeDeviceCode) {
		return nil, oidc.ErrUnauthorizedClient().WithDescription("this client may not use the device flow")
	}
	begun, err := p.server.authorizeDevice(ctx, r.Client.GetID(), r.Data.Scopes)
	return answered(ctx, p.server, begun, err)
}

func (p protocol) DeviceToken(ctx context.Context, r *op.ClientRequest[oidc.DeviceAccessTokenRequest]) (*op.Response, error) {
	tokens, err := p.server.exchangeDevice(ctx, r.Client.GetID(), cloud.NewSecret(r.Data.DeviceCode))
	return answered(ctx, p.server, tokens, err)
}

func (p protocol) UserInfo(ctx context.Context, r *op.Request[oidc.UserInfoRequest]) (*op.Response, error) {
	info, err := p.server.userinfo(ctx, r.Data.AccessToken)
	return answered(ctx, p.server, info, err)
}

func (p protocol) Revocation(ctx context.Context, r *op.ClientRequest[oidc.RevocationRequest]) (*op.Response, error) {
	return answered[any](ctx, p.server, nil, p.server.revoke(ctx, r.Client.GetID(), cloud.NewSecret(r.Data.Token)))
}

func (p protocol) EndSession(ctx context.Context, r *op.Request[oidc.EndSessionRequest]) (*op.Redirect, error) {
	page, err := p.server.endSession(ctx, r.Data)
	if err != nil {
		return nil, p.server.refusal(ctx, err)
	}
	return op.NewRedirect(page), nil
}
