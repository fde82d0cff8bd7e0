package rest

import (
	"context"
	"net/http"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Translate turns what a list holds into its wire form; never nil, which JSON
// would spell null.
func Translate[T, W any](items []T, wire func(T) W) []W {
	out := make([]W, len(items))
	for i, item := range items {
		out[i] = wire(item)
	}
	return out
}

// OrNil is for fields that are absent, or null, where there is nothing to say.
func OrNil[T comparable](value T) *T {
	var nothing T
	if value == nothing {
		return nil
	}
	return &value
}

// Deref is what an optional field says, or nothing.
func Deref[T any](value *T) T {
	if value == nil {
		var nothing T
		return nothing
	}
	return *value
}

// ServeAnswers lets a strict handler answer with an http.Handler, such as a
// Representation. The generated code asks of a response that it can visit a
// ResponseWriter; ours also needs the request (ETag, encoding), so it is taken
// before the generated code does.
func ServeAnswers(next func(context.Context, http.ResponseWriter, *http.Request, any) (any, error)) func(context.Context, http.ResponseWriter, *http.Request, any) (any, error) {
	return func(ctx context.Context, w http.ResponseWriter, r *http.Request, request any) (any, error) {
		response, err := next(ctx, w, r, request)
		if h, ok := response.(http.Handler); ok && err == nil {
			h.ServeHTTP(w, r)
			return nil, nil //nolint:nilnil // no response is left for the generated code
		}
		return response, err
	}
}

// Unbound is the refusal of what the generated code could not bind: a named
// parameter, or "" for anything else. Validation against the document comes
// first and says it better; this is the net below.
func Unbound(parameter string) error {
	if parameter == "" {
		return cloud.Invalid("the request does not fit the API document; see /docs")
	}
	return cloud.Invalid("parameter %s is not well-formed; see /docs for its form", parameter)
}
