package infrastructureapi_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/penstock-cloud/penstock/api"
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/rest/resttest"
)

// TestBesideTheAPI is about what the port serves without a token.
func TestBesideTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
		message      bool // the body is JSON with a message
	}{
		{method: http.MethodGet, path: "/healthz", status: http.StatusOK, message: true},
		{method: http.MethodHead, path: "/healthz", status: http.StatusOK, message: true},
		{method: http.MethodPost, path: "/healthz", status: http.StatusMethodNotAllowed, allow: "GET, HEAD", message: true},
		{method: http.MethodDelete, path: "/docs/", status: http.StatusMethodNotAllowed, allow: "GET, HEAD", message: true},
		{method: http.MethodGet, path: "/docs", status: http.StatusMovedPermanently},
		{method: http.MethodGet, path: "/docs/", status: http.StatusOK},
		{method: http.MethodGet, path: "/openapi.yaml", status: http.StatusOK},
		{method: http.MethodGet, path: "/", status: http.StatusNotFound, message: true},
		{method: http.MethodGet, path: "/healthz/", status: http.StatusNotFound, message: true},
		{method: http.MethodGet, path: "/api/v1alpha1", status: http.StatusNotFound, message: true},
		{method: http.MethodGet, path: "/api/v1alpha12/instances", status: http.StatusNotFound, message: true},
		{method: http.MethodDelete, path: "/api/v1alpha1/instances/x/../y", status: http.StatusNotFound, message: true},
	} {
		answer := httptest.NewRecorder()
		w.handler.ServeHTTP(answer, httptest.NewRequest(c.method, c.path, nil))
		if answer.Code != c.status || answer.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s: got %d, Allow %q; want %d, %q", c.method, c.path, answer.Code, answer.Header().Get("Allow"), c.status, c.allow)
		}
		if c.message && (answer.Header().Get("Content-Type") != "application/json" || !resttest.IsMessage(answer.Body.Bytes())) {
			t.Errorf("%s %s: got %q of type %q; want a message", c.method, c.path, answer.Body, answer.Header().Get("Content-Type"))
		}
		if c.path == "/openapi.yaml" && !bytes.Equal(answer.Body.Bytes(), api.Infrastructure) {
			t.Error("the document is another one")
		}
	}
}

// TestFailuresSayNothing proves that of what is our own fault the caller gets to
// read a request id, and the log the rest.
func TestFailuresSayNothing(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/instances", "/projects", "/filesystems", "/instance-types", "/capacity"} {
		w := newWorld(t)
		w.region.fails = errSecret
		r := w.get(viewer, path).want(http.StatusInternalServerError).says("request id " + nobody)
		if bytes.Contains([]byte(r.body), []byte("hunter2")) || !bytes.Contains(w.log.Bytes(), []byte("hunter2")) {
			t.Errorf("%s: told the caller %s, and the log %s", path, r.body, w.log)
		}
	}
	w := newWorld(t)
	w.region.fails = cloud.Unavailable(errSecret)
	w.call(editor, "POST", "/instances", `{"name":"new","type":"cpu.2x"}`).want(http.StatusServiceUnavailable).says("try again")
}
