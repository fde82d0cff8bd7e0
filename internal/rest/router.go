package rest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
)

const noSuchPath = "no such path; see /docs for those there are"

// Middleware wraps the handler of one operation.
type Middleware func(op Operation, next http.Handler) http.Handler

// Router routes the operations of a document, and answers 404 and 405 in JSON.
// It implements the ServeMux that generated servers register their handlers
// on, so that what it wraps around an operation sits outside of all generated
// code.
type Router struct {
	document *Document
	wrap     []Middleware
	mux      *http.ServeMux // with refuse for what matches nothing else
	methods  *http.ServeMux // without, since that hides which methods a path has
	routed   map[string]Operation
}

// NewRouter returns a router that wraps every operation in the given
// middleware, the first one outermost.
func NewRouter(d *Document, wrap ...Middleware) *Router {
	rt := &Router{document: d, wrap: wrap, mux: http.NewServeMux(), methods: http.NewServeMux(), routed: map[string]Operation{}}
	rt.mux.HandleFunc("/", rt.refuse)
	return rt
}

// HandleFunc registers an operation's handler under its pattern. It panics if
// the document has no such operation: the program was put together wrongly.
func (rt *Router) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	op, ok := rt.document.operations[pattern]
	if !ok {
		panic(fmt.Sprintf("rest: %s is not in the API document", pattern))
	}
	var h http.Handler = http.HandlerFunc(handler)
	for i := len(rt.wrap) - 1; i >= 0; i-- {
		h = rt.wrap[i](op, h)
	}
	rt.mux.Handle(pattern, h)
	rt.methods.Handle(pattern, h)
	rt.routed[pattern] = op
}

// Routed returns the operations that have a handler, by pattern.
func (rt *Router) Routed() map[string]Operation { return rt.routed }

// OperationIDs names the operations that have a handler, by pattern, for
// metrics and logs.
func (rt *Router) OperationIDs() map[string]string {
	ids := make(map[string]string, len(rt.routed))
	for pattern, op := range rt.routed {
		ids[pattern] = op.ID
	}
	return ids
}

// nosniff is shared by all answers; whoever wants another value sets another
// slice.
var nosniff = []string{"nosniff"}

// ServeHTTP implements http.Handler.
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header()["X-Content-Type-Options"] = nosniff
	if path.Clean(r.URL.Path) != r.URL.Path {
		// The mux would redirect; an API answers instead.
		WriteMessage(w, http.StatusNotFound, noSuchPath)
		return
	}
	rt.mux.ServeHTTP(w, r)
}

// refuse says in JSON what a mux would say in text.
func (rt *Router) refuse(w http.ResponseWriter, r *http.Request) {
	said := httptest.NewRecorder()
	h, _ := rt.methods.Handler(r)
	h.ServeHTTP(said, r)
	if said.Code == http.StatusMethodNotAllowed {
		allow := said.Header().Get("Allow")
		w.Header().Set("Allow", allow)
		WriteMessage(w, http.StatusMethodNotAllowed, r.Method+" is not possible here; use "+allow)
		return
	}
	WriteMessage(w, http.StatusNotFound, noSuchPath)
}
