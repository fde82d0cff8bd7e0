package rest

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// statuses maps the closed set of domain codes; what is not in it is a 500.
var statuses = map[cloud.Code]int{
	cloud.CodeInvalid:         http.StatusBadRequest,
	cloud.CodeUnauthenticated: http.StatusUnauthorized,
	cloud.CodeForbidden:       http.StatusForbidden,
	cloud.CodeNotFound:        http.StatusNotFound,
	cloud.CodeConflict:        http.StatusConflict,
	cloud.CodeLimited:         http.StatusTooManyRequests,
	cloud.CodeTooLarge:        http.StatusRequestEntityTooLarge,
	cloud.CodeUnavailable:     http.StatusServiceUnavailable,
	cloud.CodeUnimplemented:   http.StatusNotImplemented,
}

// Status is that of an answer which refuses something.
func Status(code cloud.Code) int {
	if status, ok := statuses[code]; ok {
		return status
	}
	return http.StatusInternalServerError
}

// Errors answers failed requests. It is the one place that decides what a
// caller gets to read of an error.
type Errors struct {
	Log  *slog.Logger
	Body func(err error, message string) any // nil means {"message": …}
}

// statusCallerGone stands in logs and metrics for a request whose caller hung
// up; nobody reads the answer. It is what nginx calls it.
const statusCallerGone = 499

// Write answers with the error's status and {"message": …}. Of what is wrapped
// around or behind a domain error the caller gets to read nothing; what is none
// at all is logged, and the caller is told no more than the request id.
func (e Errors) Write(w http.ResponseWriter, r *http.Request, err error) {
	refusal := refusalIn(err)
	if refusal == nil {
		e.fail(w, r, err)
		return
	}
	status := statuses[refusal.Code]
	switch status {
	case http.StatusServiceUnavailable:
		if hungUp(r) {
			w.WriteHeader(statusCallerGone)
			return
		}
		w.Header().Set("Retry-After", "1")
		e.Log.WarnContext(r.Context(), "request refused while a dependency is away", "path", r.URL.Path, "error", refusal.Unwrap())
	case http.StatusTooManyRequests:
		if h := w.Header(); h.Get("Retry-After") == "" {
			h.Set("Retry-After", "1")
		}
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", challenge(r))
	}
	if e.Body != nil {
		WriteJSON(w, status, e.Body(err, refusal.Message))
		return
	}
	WriteMessage(w, status, refusal.Message)
}

// fail answers what is our own fault.
func (e Errors) fail(w http.ResponseWriter, r *http.Request, err error) {
	if hungUp(r) {
		w.WriteHeader(statusCallerGone)
		return
	}
	e.Log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	WriteMessage(w, http.StatusInternalServerError, internalMessage(w))
}

// hungUp reports whether the caller did not wait for the answer: then it is no
// wonder that there is none.
func hungUp(r *http.Request) bool { return errors.Is(r.Context().Err(), context.Canceled) }

// challenge names an error only where there was a token (RFC 6750, 3.1).
func challenge(r *http.Request) string {
	if BearerToken(r) == "" {
		return `Bearer realm="penstock"`
	}
	return `Bearer realm="penstock", error="invalid_token"`
}

func internalMessage(w http.ResponseWriter) string {
	if id := RequestID(w); id != "" {
		return "internal error; quote the request id " + id + " to the operator"
	}
	return "internal error"
}

// RequestID is the id that the outermost middleware gave the request; it
// stands in the answer's headers from the beginning.
func RequestID(w http.ResponseWriter) string { return w.Header().Get("X-Request-ID") }

// refusalIn finds what in an error is written for the caller; nil if nothing
// is.
func refusalIn(err error) *cloud.Error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		err = cloud.TooLarge("the body must be at most %d bytes", tooLarge.Limit)
	}
	var refusal *cloud.Error
	if !errors.As(err, &refusal) {
		return nil
	}
	if _, known := statuses[refusal.Code]; !known {
		return nil
	}
	return refusal
}

// WriteMessage answers with {"message": …}, the body of every refusal.
func WriteMessage(w http.ResponseWriter, status int, message string) {
	WriteJSON(w, status, struct {
		Message string `json:"message"`
	}{message})
}

// WriteJSON answers with a value that is not to be kept. The value must be one
// that encodes.
func WriteJSON(w http.ResponseWriter, status int, value any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // the caller may be gone; there is nobody else to tell
}

// BearerToken takes the token from the Authorization header (RFC 6750, 2.1);
// "" if there is none.
func BearerToken(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
