package infrastructureapi

import (
	"net/http"
	"strings"

	"github.com/penstock-cloud/penstock/internal/rest"
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
		rest.WriteMessage(w, http.StatusMethodNotAllowed, "use GET or HEAD on "+healthPath)
	case path == healthPath:
		rest.WriteMessage(w, http.StatusOK, "ok")
	case path == basePath || strings.HasPrefix(path, basePath+"/"):
		rest.WriteMessage(w, http.StatusNotImplemented, "this region does not serve the Infrastructure API yet; "+
			"its instances and clusters are listed by the Management API of the global plane")
	default:
		rest.WriteMessage(w, http.StatusNotFound, "there is nothing at this path; a region serves "+healthPath+" and "+basePath)
	}
}
