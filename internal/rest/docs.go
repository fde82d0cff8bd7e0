package rest

import (
	"net/http"

	"github.com/swaggest/swgui/v5emb"
)

// docsPolicy lets the embedded UI run its own inline script and nothing of
// anybody else's.
const docsPolicy = "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"

// Docs serves a document at /openapi.yaml and a page to read it at /docs/;
// neither needs a token.
func Docs(title string, document []byte) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /openapi.yaml", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(document) // the caller may be gone; there is nobody else to tell
	})
	ui := v5emb.New(title, "/openapi.yaml", "/docs/")
	mux.HandleFunc("GET /docs/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", docsPolicy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		ui.ServeHTTP(w, r)
	})
	mux.Handle("GET /docs", http.RedirectHandler("/docs/", http.StatusMovedPermanently))
	return mux
}
