package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// refuse answers a request with an error, and returns what was logged of it.
func refused(r *http.Request, err error) (w *httptest.ResponseRecorder, log string) {
	var out bytes.Buffer
	w = httptest.NewRecorder()
	w.Header().Set("X-Request-ID", "request-7")
	Errors{Log: slog.New(slog.NewJSONHandler(&out, nil))}.Write(w, r, err)
	return w, out.String()
}

func TestErrorsHaveAStatus(t *testing.T) {
	t.Parallel()
	inside := errors.New("dial db.internal: password hunter2 refused")
	for _, c := range []struct {
		err     error
		status  int
		message string
	}{
		{cloud.Invalid("name is missing"), 400, "name is missing"},
		{cloud.Unauthenticated("send a token"), 401, "send a token"},
		{cloud.Forbidden("not you"), 403, "not you"},
		{cloud.NotFound("no such thing"), 404, "no such thing"},
		{cloud.Conflict("taken"), 409, "taken"},
		{cloud.TooLarge("too much"), 413, "too much"},
		{cloud.Unimplemented("not yet"), 501, "not yet"},
		{cloud.Unavailable(inside), 503, "temporarily unavailable; try again shortly"},
		{&http.MaxBytesError{Limit: 10}, 413, "the body must be at most 10 bytes"},
		{inside, 500, "internal error; quote the request id request-7 to the operator"},
		{&cloud.Error{Code: "unheard-of", Message: "hunter2"}, 500, "internal error; quote the request id request-7 to the operator"},
		{fmt.Errorf("table members, row 7: %w", cloud.Conflict("taken")), 409, "taken"},
		{fmt.Errorf("host db.internal: %w", cloud.Unavailable(inside)), 503, "temporarily unavailable; try again shortly"},
		{errors.Join(errors.New("hunter2"), cloud.NotFound("no such thing")), 404, "no such thing"},
	} {
		w, log := refused(httptest.NewRequest(http.MethodGet, "/things", nil), c.err)
		if want := fmt.Sprintf("{\"message\":%q}\n", c.message); w.Code != c.status || w.Body.String() != want {
			t.Errorf("%v: got %d %s; want %d %s", c.err, w.Code, w.Body, c.status, want)
		}
		if ours := c.status >= 500 && c.status != 501; ours != strings.Contains(log, "hunter2") {
			t.Errorf("%v: is our fault: %v; logged: %q", c.err, ours, log)
		}
	}
}

// TestErrorsAskForAToken proves that the challenge names an error only if
// there was a token (RFC 6750, 3.1).
func TestErrorsAskForAToken(t *testing.T) {
	t.Parallel()
	for authorization, want := range map[string]string{
		"":           `Bearer realm="penstock"`,
		"Basic YTpi": `Bearer realm="penstock"`,
		"Bearer abc": `Bearer realm="penstock", error="invalid_token"`,
		"bearer abc": `Bearer realm="penstock", error="invalid_token"`,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Authorization", authorization)
		w, _ := refused(r, cloud.Unauthenticated("who are you?"))
		if got := w.Header().Get("WWW-Authenticate"); got != want {
			t.Errorf("Authorization: %s: got the challenge %s; want %s", authorization, got, want)
		}
	}
}

// TestNobodyIsLeftToTell proves that a caller who hangs up is no failure of
// ours, neither for the metrics nor for whoever reads the log.
func TestNobodyIsLeftToTell(t *testing.T) {
	t.Parallel()
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	r := httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx)
	for _, err := range []error{context.Canceled, errors.New("interrupted"), cloud.Unavailable(context.Canceled)} {
		if w, log := refused(r, err); w.Code >= 500 || strings.Contains(log, "ERROR") || strings.Contains(log, "WARN") {
			t.Errorf("%v: got %d, logged: %s", err, w.Code, log)
		}
	}
}

func TestMessagesAreWellFormedWhateverTheySay(t *testing.T) {
	t.Parallel()
	w, _ := refused(httptest.NewRequest(http.MethodGet, "/", nil), cloud.Invalid("%s", "\"</script>\x00\xff\u2028"))
	if want := `{"message":"\"\u003c/script\u003e\u0000\ufffd\u2028"}` + "\n"; w.Body.String() != want {
		t.Errorf("got %s; want %s", w.Body, want)
	}
}
