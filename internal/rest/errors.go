package rest

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// statuses maps the closed set of domain codes; what is not in it is a 500.
var statuses = map[cloud.Code]int{
	cloud.CodeInvalid:         http.StatusBadRequest,
	cloud.CodeUnauthenticated: http.StatusUnauthorized,
	cloud.CodeForbidden:       http.StatusForbidden,
	cloud.CodeNotFound:        http.StatusNotFound,
	cloud.CodeConflict:        http.StatusConflict,
	cloud.CodeTooLarge:        http.StatusRequestEntityTooLarge,
	cloud.CodeUnavailable:     http.StatusServiceUnavailable,
	cloud.CodeUnimplemented:   http.StatusNotImplemented,
}

// Errors answers failed requests. It is the one place that decides what a
// caller gets to read of an error.
type Errors struct{ Log *slog.Logger }

// Write answers with the error's status and {"message": …}. What is not a
// domain error is logged, and the caller is told no more than the request id.
func (e Errors) Write(w http.ResponseWriter, r *http.Request, err error) {
	err = asDomain(err)
	status, known := statuses[cloud.CodeOf(err)]
	message := err.Error()
	switch {
	case !known:
		status, message = http.StatusInternalServerError, internalMessage(w)
		e.Log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	case status == http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
		e.Log.WarnContext(r.Context(), "request refused while a dependency is away", "path", r.URL.Path, "error", errors.Unwrap(err))
	case status == http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="penstock", error="invalid_token"`)
	}
	WriteMessage(w, status, message)
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

// asDomain gives the errors that reading a request produces their codes.
func asDomain(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return cloud.TooLarge("the body must be at most %d bytes", tooLarge.Limit)
	}
	return err
}

// WriteMessage answers with {"message": …}, the body of every refusal.
func WriteMessage(w http.ResponseWriter, status int, message string) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	body, err := json.Marshal(struct {
		Message string `json:"message"`
	}{message})
	if err != nil {
		return // a string always marshals
	}
	_, _ = w.Write(append(body, '\n')) // the caller may be gone; there is nobody else to tell
}
