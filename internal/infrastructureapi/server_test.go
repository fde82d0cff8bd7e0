package infrastructureapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/penstock-cloud/penstock/internal/infrastructureapi"
)

func TestEveryAnswerIsJSON(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{method: http.MethodGet, path: "/healthz", status: http.StatusOK},
		{method: http.MethodHead, path: "/healthz", status: http.StatusOK},
		{method: http.MethodPost, path: "/healthz", status: http.StatusMethodNotAllowed, allow: "GET, HEAD"},
		{method: http.MethodGet, path: "/api/v1alpha1", status: http.StatusNotImplemented},
		{method: http.MethodGet, path: "/api/v1alpha1/instances", status: http.StatusNotImplemented},
		{method: http.MethodDelete, path: "/api/v1alpha1/instances/x/../y", status: http.StatusNotImplemented},
		{method: http.MethodGet, path: "/api/v1alpha12", status: http.StatusNotFound},
		{method: http.MethodGet, path: "/", status: http.StatusNotFound},
		{method: http.MethodGet, path: "//api", status: http.StatusNotFound},
		{method: http.MethodGet, path: "/healthz/", status: http.StatusNotFound},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			t.Parallel()
			answer := httptest.NewRecorder()
			infrastructureapi.New().ServeHTTP(answer, httptest.NewRequest(c.method, c.path, nil))
			if answer.Code != c.status {
				t.Errorf("status: got %d, want %d", answer.Code, c.status)
			}
			if got := answer.Header().Get("Allow"); got != c.allow {
				t.Errorf("Allow: got %q, want %q", got, c.allow)
			}
			if got := answer.Header().Get("Content-Type"); got != "application/json" {
				t.Errorf("Content-Type: got %q", got)
			}
			var body struct {
				Message string `json:"message"`
			}
			if err := json.Unmarshal(answer.Body.Bytes(), &body); err != nil || body.Message == "" {
				t.Errorf("the body has no message: %q (%v)", answer.Body, err)
			}
		})
	}
}
