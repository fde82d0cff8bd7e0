package infrastructureapi

import (
	"encoding/json"
	"net/http"
	"strings"
)

const (
	healthPath = "/healthz"
	basePath   = "/api/v1alpha1"
)

// New returns the handler of a region's port. Every answer is JSON with a
// message, as in the Management API.
func New() http.Handler { return http.HandlerFunc(serve) }

// serve sorts by the path as it was sent: a mux would redirect some to a
// cleaner one, with a body that is not JSON.
func serve(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case path == healthPath && r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		write(w, http.StatusMethodNotAllowed, "use GET or HEAD on "+healthPath)
	case path == healthPath:
		w.Header().Set("Cache-Control", "no-store")
		write(w, http.StatusOK, "ok")
	case path == basePath || strings.HasPrefix(path, basePath+"/"):
		write(w, http.StatusNotImplemented, "this region does not serve the Infrastructure API yet; "+
			"its instances and clusters are listed by the Management API of the global plane")
	default:
		write(w, http.StatusNotFound, "there is nothing at this path; a region serves "+healthPath+" and "+basePath)
	}
}

func write(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// The status is sent; a caller that is gone cannot be told anything more.
	_ = json.NewEncoder(w).Encode(struct {
		Message string `json:"message"`
	}{text})
}
