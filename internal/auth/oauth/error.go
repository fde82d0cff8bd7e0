package oauth

import (
	"context"
	"errors"
	"net/http"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// refusal is what a client gets to read of an error. What is none of the
// protocol's is logged, and the client is told nothing of it.
func (s *Server) refusal(ctx context.Context, err error) error {
	var status op.StatusError
	var protocol *oidc.Error
	switch {
	case errors.As(err, &status), errors.As(err, &protocol):
		return err
	case cloud.CodeOf(err) == cloud.CodeUnavailable:
		s.Log.WarnContext(ctx, "an OAuth request was refused while a dependency is away", "error", cloud.Explain(err))
		return op.NewStatusError(oidc.ErrServerError().WithDescription("the control plane is not ready; try again"), http.StatusServiceUnavailable)
	default:
		s.Log.ErrorContext(ctx, "an OAuth request failed", "error", err)
		return op.NewStatusError(oidc.ErrServerError(), http.StatusInternalServerError)
	}
}

// invalidClient refuses a client that nobody knows or whose secret is wrong: an
// answer tells which to nobody.
func invalidClient() error {
	return op.NewStatusError(oidc.ErrInvalidClient().WithDescription("there is no such client, or its secret is another"), http.StatusUnauthorized)
}

// invalidGrant refuses a code or a token that is good for nothing, for whatever
// reason.
func invalidGrant() *oidc.Error {
	return oidc.ErrInvalidGrant().WithDescription("it does not exist, is over, was used already, or is another client's")
}

// invalidToken refuses an access token (RFC 6750, 3.1).
func invalidToken() error {
	refused := &oidc.Error{ErrorType: "invalid_token", Description: "the access token is good no more, or never was"}
	return op.NewStatusError(refused, http.StatusUnauthorized)
}

// LimitedBody is the body of an answer to who asks too often, in the form in which
// clients read refusals (RFC 6749, 5.2). The code makes them wait that poll for a
// device's tokens, and go on (RFC 8628, 3.5).
func LimitedBody(_ error, message string) any {
	return oidc.Error{ErrorType: oidc.SlowDown, Description: message}
}
