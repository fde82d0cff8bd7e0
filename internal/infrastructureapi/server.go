package infrastructureapi

import (
	"encoding/json"
	"net/http"
)

// message is the body of every answer, as in the Management API.
type message struct {
	Message string `json:"message"`
}

// New returns the handler of a region's port.
func New() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusOK, "ok")
	})
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", "GET, HEAD")
		write(w, http.StatusMethodNotAllowed, "use GET or HEAD on /healthz")
	})
	for _, pattern := range []string{"/api/v1alpha1", "/api/v1alpha1/"} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) {
			write(w, http.StatusNotImplemented, "this region does not serve the Infrastructure API yet; list its instances and clusters at the Management API of the global plane")
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		write(w, http.StatusNotFound, "there is nothing at this path; a region serves /healthz and /api/v1alpha1")
	})
	return mux
}

func write(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// The status is sent; a caller that is gone cannot be told anything more.
	_ = json.NewEncoder(w).Encode(message{text})
}
