package managementapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/penstock-cloud/penstock/api"
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/rest"
)

// Verifier tells who holds a token. A token that does not hold is
// CodeUnauthenticated; CodeUnavailable means that nobody can tell just now.
type Verifier interface {
	Verify(ctx context.Context, token string) (cloud.Principal, error)
}

// Config is what a Server is made of; all fields are required.
type Config struct {
	Control       *control.Control
	Verifier      Verifier
	Log           *slog.Logger
	Now           func() time.Time
	ClientAddress func(*http.Request) string // for the audit
}

// Server is the Management API. It is safe for concurrent use.
type Server struct {
	Config
	errors rest.Errors
	lists  *listCache
	router *rest.Router
}

// listCacheBytes bounds the memory that encoded lists take, in bytes.
const listCacheBytes = 256 << 20

// NewServer returns the API, serving under the document's base path.
func NewServer(c Config) (*Server, error) {
	document, err := rest.LoadDocument(api.Management)
	if err != nil {
		return nil, err
	}
	for _, op := range document.Operations() {
		if _, ok := actions[op.ID]; !ok {
			return nil, fmt.Errorf("operation %s asks for no action", op.ID)
		}
	}
	s := &Server{Config: c, errors: rest.Errors{Log: c.Log}, lists: newListCache(listCacheBytes)}
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
func (s *Server) Operations() map[string]string {
	names := map[string]string{}
	for pattern, op := range s.router.Routed() {
		names[pattern] = op.ID
	}
	return names
}

// refuseParameter answers what the generated code could not bind. Validation
// against the document comes first and says it better; this is the net below.
func (s *Server) refuseParameter(w http.ResponseWriter, r *http.Request, err error) {
	var format *InvalidParamFormatError
	if errors.As(err, &format) {
		err = cloud.Invalid("parameter %s is not well-formed; see /docs for its form", format.ParamName)
	} else {
		err = cloud.Invalid("the request does not fit the API document; see /docs")
	}
	s.errors.Write(w, r, err)
}

// handlers implements the generated interface; each method translates between
// the wire and one use case.
type handlers struct{ *Server }

var _ StrictServerInterface = handlers{}
