package infrastructureapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/penstock-cloud/penstock/api"
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
	"github.com/penstock-cloud/penstock/internal/region"
	"github.com/penstock-cloud/penstock/internal/rest"
)

// Region is what tenants can ask of a region. Whatever is not the caller's own
// project's, or organization's, is CodeNotFound.
type Region interface {
	// Admit finds out whether a principal may do an action, in the organization
	// and the project that they name ("" for none). CodeForbidden if they may
	// not, CodeInvalid if they must choose an organization, CodeNotFound if it
	// has no such project, CodeUnavailable where nobody can tell just now.
	Admit(ctx context.Context, p cloud.Principal, a cloud.Action, organization, project cloud.ID) (region.Caller, error)

	// Lists are by id.
	Projects(ctx context.Context, c region.Caller) ([]cloud.Project, error)
	Project(ctx context.Context, c region.Caller, id cloud.ID) (cloud.Project, error)
	CreateProject(ctx context.Context, c region.Caller, in region.NewProject) (cloud.Project, error)
	DeleteProject(ctx context.Context, c region.Caller, id cloud.ID) error

	Instances(ctx context.Context, c region.Caller) ([]cloud.Machine, error)
	Instance(ctx context.Context, c region.Caller, id cloud.ID) (cloud.Machine, error)
	CreateInstance(ctx context.Context, c region.Caller, in region.NewInstance) (cloud.Machine, error)
	StartInstance(ctx context.Context, c region.Caller, id cloud.ID) error
	StopInstance(ctx context.Context, c region.Caller, id cloud.ID) error
	DeleteInstance(ctx context.Context, c region.Caller, id cloud.ID) error

	Filesystems(ctx context.Context, c region.Caller) ([]cloud.Filesystem, error)
	Filesystem(ctx context.Context, c region.Caller, id cloud.ID) (cloud.Filesystem, error)
	CreateFilesystem(ctx context.Context, c region.Caller, in region.NewFilesystem) (cloud.Filesystem, error)
	DeleteFilesystem(ctx context.Context, c region.Caller, id cloud.ID) error

	// InstanceTypes and Capacity are by name.
	InstanceTypes(ctx context.Context) ([]cloud.InstanceType, error)
	Capacity(ctx context.Context, c region.Caller) ([]region.Capacity, error)
	// Features says what the region's engine can do. It does not change.
	Features() engine.Features
}

// Config is what a Server is made of; all fields are required, except for
// Clusters and Limits.
type Config struct {
	Region   Region
	Clusters *region.DeclaredClusters // nil for none
	Verifier rest.Verifier
	Limits   *rest.Limits // nil for none
	Log      *slog.Logger

	ClientAddress func(*http.Request) string // for the audit and the limits
}

// Server is a region's port: the Infrastructure API, its documentation and a
// sign of life. It is safe for concurrent use.
type Server struct {
	Config
	errors rest.Errors
	lists  *rest.Kept[cloud.ID, region.Revision] // of instances, by project
	router *rest.Router
	docs   http.Handler
}

// listCacheBytes bounds the memory that encoded lists take, in bytes.
const listCacheBytes = 256 << 20

// healthPath answers that the process lives.
const healthPath = "/healthz"

// theDocument is parsed and checked once for all servers of a process, which
// takes longer than all else that a server needs to begin.
var theDocument = sync.OnceValues(func() (*rest.Document, error) { return rest.LoadDocument(api.Infrastructure) })

// NewServer returns the API, serving under the document's base path, and what
// stands beside it.
func NewServer(c Config) (*Server, error) {
	document, err := theDocument()
	if err != nil {
		return nil, err
	}
	if err := document.CheckActions(actions); err != nil {
		return nil, err
	}
	s := &Server{
		Config: c, errors: rest.Errors{Log: c.Log}, lists: rest.NewKept[cloud.ID, region.Revision](listCacheBytes),
		docs: rest.Docs("Penstock Infrastructure API", api.Infrastructure),
	}
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

// ServeHTTP implements http.Handler. It sorts by the path as it was sent: a mux
// would redirect some to a cleaner one, with a body that is not JSON.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	docs := path == "/openapi.yaml" || path == "/docs" || strings.HasPrefix(path, "/docs/")
	switch {
	case path != healthPath && !docs:
		s.router.ServeHTTP(w, r)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		rest.WriteMessage(w, http.StatusMethodNotAllowed, r.Method+" is not possible here; use GET, HEAD")
	case docs:
		s.docs.ServeHTTP(w, r)
	default:
		rest.WriteMessage(w, http.StatusOK, "ok")
	}
}

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
