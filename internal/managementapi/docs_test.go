package managementapi_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/penstock-cloud/penstock/api"
	"github.com/penstock-cloud/penstock/internal/managementapi"
)

// TestDocs reads the documentation as a browser does: the page, the document
// and everything else that the page names, from this server alone.
func TestDocs(t *testing.T) {
	t.Parallel()
	docs := managementapi.Docs()
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		docs.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	if w := get("/docs"); w.Code != http.StatusMovedPermanently || w.Header().Get("Location") != "/docs/" {
		t.Errorf("/docs: %d to %q", w.Code, w.Header().Get("Location"))
	}
	if w := get("/openapi.yaml"); w.Code != http.StatusOK || !bytes.Equal(w.Body.Bytes(), api.Management) {
		t.Errorf("/openapi.yaml: %d with %d bytes", w.Code, w.Body.Len())
	}
	page := get("/docs/")
	if policy := page.Header().Get("Content-Security-Policy"); page.Code != http.StatusOK || !strings.Contains(policy, "default-src 'self'") {
		t.Errorf("/docs/: %d with the policy %q", page.Code, policy)
	}
	if !strings.Contains(page.Body.String(), "/openapi.yaml") {
		t.Errorf("the page does not name the document:\n%s", page.Body)
	}
	assets := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page.Body.String(), -1)
	for _, asset := range assets {
		if w := get(asset[1]); w.Code != http.StatusOK || w.Body.Len() == 0 {
			t.Errorf("%s: %d with %d bytes", asset[1], w.Code, w.Body.Len())
		}
	}
	if len(assets) < 3 {
		t.Errorf("the page is made of %v only", assets)
	}
}
