package infrastructureapi

import (
	"net/http"

	"github.com/penstock-cloud/penstock/internal/rest"
)

// New returns the handler of a region's port.
func New() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		rest.WriteMessage(w, http.StatusOK, "ok")
	})
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", "GET, HEAD")
		rest.WriteMessage(w, http.StatusMethodNotAllowed, "use GET or HEAD on /healthz")
	})
	for _, pattern := range []string{"/api/v1alpha1", "/api/v1alpha1/"} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) {
			rest.WriteMessage(w, http.StatusNotImplemented, "this region does not serve the Infrastructure API yet; list its instances and clusters at the Management API of the global plane")
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		rest.WriteMessage(w, http.StatusNotFound, "there is nothing at this path; a region serves /healthz and /api/v1alpha1")
	})
	return mux
}
