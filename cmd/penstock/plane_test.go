package main

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/observe"
)

// TestAPIAnswersForAllBelowIt proves of the plane as it is put together that
// paths which a ServeMux would redirect get the API's own answer.
func TestAPIAnswersForAllBelowIt(t *testing.T) {
	t.Parallel()
	p, err := openPlane(t.Context(), planeConfig{
		database: database(filepath.Join(t.TempDir(), "plane.db")), url: "http://plane.example.com", policy: cloud.DefaultHealthPolicy,
		log: slog.New(slog.DiscardHandler), metrics: observe.NewMetrics("test"),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	for _, path := range []string{"/api/v1alpha1//user", "/api/v1alpha1/./user", "/api/v1alpha1/x/../user", "/api/../healthz", "/api/v1alpha1/user/", "/api/v2/user", "/api/"} {
		for _, method := range []string{http.MethodGet, http.MethodPost, "BREW"} {
			w := httptest.NewRecorder()
			r := httptest.NewRequest(method, "/", nil)
			r.URL.Path = path
			p.handler.ServeHTTP(w, r)
			if w.Code != http.StatusNotFound || !strings.HasPrefix(w.Body.String(), `{"message":`) || w.Header().Get(observe.RequestIDHeader) == "" {
				t.Errorf("%s %s: %d %s %v", method, path, w.Code, w.Body, w.Header())
			}
		}
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/openapi.yaml": 200, "/docs": 301, "/docs/": 200, "/api/v1alpha1/user": 401, "/nothing": 404} {
		w := httptest.NewRecorder()
		p.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want {
			t.Errorf("%s: %d %s; want %d", path, w.Code, w.Body, want)
		}
	}
}
