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

// Identify finds out who is calling, and counts the request: against the caller,
// who is returned also if they ask too often, or against the address that it came
// from. Without a token it is CodeUnauthenticated, beyond a limit CodeLimited.
func (l *Limits) Identify(w http.ResponseWriter, r *http.Request, v Verifier, address string) (cloud.Principal, error) {
	principal, err := identify(r, v)
	if err != nil {
		return cloud.Principal{}, l.Refuse(w, address, err)
	}
	return principal, l.Spend(w, principal.UserID)
}

func identify(r *http.Request, v Verifier) (cloud.Principal, error) {
	token := BearerToken(r)
	if token == "" {
		return cloud.Principal{}, cloud.Unauthenticated("send a token with the header Authorization: Bearer TOKEN")
	}
	return v.Verify(r.Context(), token)
}
