package rest

import (
	"context"
	"net/http"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Verifier tells who holds a token. A token that does not hold is
// CodeUnauthenticated; CodeUnavailable means that nobody can tell just now.
type Verifier interface {
	Verify(ctx context.Context, token string) (cloud.Principal, error)
}

// Identify finds out who is calling. Without a token it is CodeUnauthenticated.
func Identify(r *http.Request, v Verifier) (cloud.Principal, error) {
	token := BearerToken(r)
	if token == "" {
		return cloud.Principal{}, cloud.Unauthenticated("send a token with the header Authorization: Bearer TOKEN")
	}
	return v.Verify(r.Context(), token)
}
