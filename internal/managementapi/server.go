package managementapi

import (
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/penstock-cloud/penstock/api"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/rest"
)

// Config is what a Server is made of; all fields are required, except for
// Limits.
type Config struct {
	Control       *control.Control
	Verifier      rest.Verifier
	Limits        *rest.Limits // nil for none
	Log           *slog.Logger
	Now           func() time.Time
	ClientAddress func(*http.Request) string // for the audit and the limits
}

// Server is the Management API. It is safe for concurrent use.
type Server struct {
	Config
	errors rest.Errors
	lists  *rest.Kept[listKey, listState]
	router *rest.Router
}

// listCacheBytes bounds the memory that encoded lists take, in bytes.
const listCacheBytes = 256 << 20

// theDocument is parsed and checked once for all servers of a process, which
// takes longer than all else that a server needs to begin.
var theDocument = sync.OnceValues(func() (*rest.Document, error) { return rest.LoadDocument(api.Management) })

// NewServer returns the API, serving under the document's base path.
func NewServer(c Config) (*Server, error) {
	document, err := theDocument()
	if err != nil {
		return nil, err
	}
	if err := document.CheckActions(actions); err != nil {
		return nil, err
	}
	s := &Server{Config: c, errors: rest.Errors{Log: c.Log}, lists: rest.NewKept[listKey, listState](listCacheBytes)}
	s.router = rest.NewRouter(document, s.admit, document.Validate(s.errors, rest.MaxBody))
	strict := NewStrictHandlerWithOptions(handlers{s}, []StrictMiddlewareFunc{serveAnswers}, StrictHTTPServerOptions{
		RequestErrorHandlerFunc:  s.refuseParameter,
		ResponseErrorHandlerFunc: s.errors.Write,
	})
	HandlerWithOptions(strict, StdHTTPServerOptions{
		BaseURL: document.Base(), BaseRouter: s.router, ErrorHandlerFunc: s.refuseParameter,
	})
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.router.ServeHTTP(w, r) }

// Operations names the operations that are served, by mux pattern, for
// metrics and logs.
func (s *Server) Operations() map[string]string { return s.router.OperationIDs() }

// refuseParameter answers what the generated code could not bind.
func (s *Server) refuseParameter(w http.ResponseWriter, r *http.Request, err error) {
	var format *InvalidParamFormatError
	name := ""
	if errors.As(err, &format) {
		name = format.ParamName
	}
	s.errors.Write(w, r, rest.Unbound(name))
}

// handlers implements the generated interface; each method translates between
// the wire and one use case.
type handlers struct{ *Server }

var _ StrictServerInterface = handlers{}
