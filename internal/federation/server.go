package federation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"

	"github.com/penstock-cloud/penstock/api"
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
	"github.com/penstock-cloud/penstock/internal/rest"
)

const (
	// BasePath is where the plane serves the federation API.
	BasePath = "/federation/v1alpha1"
	// MaxMessage bounds the body of a message, in bytes.
	MaxMessage = 4 << 20
)

// ServerConfig is what a Server is made of; all fields are required.
type ServerConfig struct {
	Plane         *Plane
	Log           *slog.Logger
	ClientAddress func(*http.Request) string // for the audit
}

// Server serves the plane's end of the link over HTTP, under BasePath. It is
// safe for concurrent use.
//
// Messages are not validated against the document, as those of people are:
// the bodies of objects are digested byte for byte as they were sent, and the
// use cases check every bound.
type Server struct {
	ServerConfig
	errors rest.Errors
	router *rest.Router
}

// theDocument is parsed and checked once for all servers of a process, which
// takes longer than all else that a server needs to begin.
var theDocument = sync.OnceValues(func() (*rest.Document, error) { return rest.LoadDocument(api.Federation) })

// NewServer returns the server.
func NewServer(c ServerConfig) (*Server, error) {
	document, err := theDocument()
	if err != nil {
		return nil, err
	}
	s := &Server{ServerConfig: c, errors: rest.Errors{Log: c.Log, Body: refusalBody}}
	s.router = rest.NewRouter(document, s.admit)
	wire.HandlerWithOptions(handlers{s}, wire.StdHTTPServerOptions{
		BaseURL: document.Base(), BaseRouter: s.router, ErrorHandlerFunc: s.refuseParameter,
	})
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.router.ServeHTTP(w, r) }

// Operations names the operations that are served, by mux pattern, for metrics
// and logs.
func (s *Server) Operations() map[string]string { return s.router.OperationIDs() }

type peerKey struct{}

// admit is the middleware that finds out which region is calling, before
// anything looks at parameters or body.
func (s *Server) admit(_ rest.Operation, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		region, err := s.Plane.Authenticate(r.Context(), cloud.NewSecret(rest.BearerToken(r)))
		if err != nil {
			s.errors.Write(w, r, err)
			return
		}
		peer := Peer{region, cloud.Origin{RequestID: rest.RequestID(w), Address: s.ClientAddress(r)}}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), peerKey{}, peer)))
	})
}

func (s *Server) refuseParameter(w http.ResponseWriter, r *http.Request, err error) {
	var param *wire.InvalidParamFormatError
	var missing *wire.RequiredParamError
	switch {
	case errors.As(err, &missing):
		err = cloud.Invalid("%s is missing in the query", missing.ParamName)
	case errors.As(err, &param):
		err = cloud.Invalid("%s in the path or query is malformed", param.ParamName)
	default:
		err = cloud.Invalid("the path or query is malformed")
	}
	s.errors.Write(w, r, err)
}

// refusalBody adds to a refusal the code by which the region tells conflicts
// apart.
func refusalBody(err error, message string) any {
	refusal := wire.Error{Message: message}
	var c *conflict
	if errors.As(err, &c) {
		refusal.Code = &c.code
	}
	return refusal
}

// handlers implements the generated interface: it translates, and nothing else.
type handlers struct{ *Server }

var _ wire.ServerInterface = handlers{}

// Hello implements POST /hello.
func (h handlers) Hello(w http.ResponseWriter, r *http.Request) {
	serve(h.Server, w, r, http.StatusOK, func(ctx context.Context, peer Peer, req wire.HelloRequest) (any, error) {
		return h.Plane.Hello(ctx, peer, req)
	})
}

// Sync implements POST /sync.
func (h handlers) Sync(w http.ResponseWriter, r *http.Request) {
	serve(h.Server, w, r, http.StatusOK, func(ctx context.Context, peer Peer, req wire.SyncRequest) (any, error) {
		return h.Plane.Sync(ctx, peer, req)
	})
}

// BeginSnapshot implements POST /snapshots.
func (h handlers) BeginSnapshot(w http.ResponseWriter, r *http.Request) {
	serve(h.Server, w, r, http.StatusCreated, func(ctx context.Context, peer Peer, req wire.SnapshotRequest) (any, error) {
		id, err := h.Plane.BeginSnapshot(ctx, peer, req)
		return wire.SnapshotBegun{ID: string(id)}, err
	})
}

// PutSnapshotPage implements PUT /snapshots/{id}/pages/{number}.
func (h handlers) PutSnapshotPage(w http.ResponseWriter, r *http.Request, id wire.ID, number int) {
	serve(h.Server, w, r, http.StatusNoContent, func(ctx context.Context, peer Peer, req wire.SnapshotPage) (any, error) {
		return nil, h.Plane.PutPage(ctx, peer, cloud.ID(id), number, req)
	})
}

// CommitSnapshot implements POST /snapshots/{id}/commit.
func (h handlers) CommitSnapshot(w http.ResponseWriter, r *http.Request, id wire.ID) {
	serve(h.Server, w, r, http.StatusNoContent, func(ctx context.Context, peer Peer, req wire.SnapshotCommit) (any, error) {
		return nil, h.Plane.CommitSnapshot(ctx, peer, cloud.ID(id), req)
	})
}

// ReportAudit implements POST /audit.
func (h handlers) ReportAudit(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, MaxAuditMessage)
	serve(h.Server, w, r, http.StatusOK, func(ctx context.Context, peer Peer, req wire.AuditReport) (any, error) {
		return h.Plane.ReportAudit(ctx, peer, req)
	})
}

// GetGrant implements GET /grants.
func (h handlers) GetGrant(w http.ResponseWriter, r *http.Request, params wire.GetGrantParams) {
	peer := r.Context().Value(peerKey{}).(Peer) // admit sets it for every operation
	var grant wire.Grant
	var err error
	if params.Organization == nil {
		grant, err = h.Plane.Organizations(r.Context(), peer.Region, params.Subject)
	} else {
		grant, err = h.Plane.Grant(r.Context(), peer.Region, params.Subject, *params.Organization)
	}
	if err != nil {
		h.errors.Write(w, r, err)
		return
	}
	rest.WriteJSON(w, http.StatusOK, grant)
}

// GetIdentity implements GET /identities.
func (h handlers) GetIdentity(w http.ResponseWriter, r *http.Request, params wire.GetIdentityParams) {
	peer := r.Context().Value(peerKey{}).(Peer) // admit sets it for every operation
	identity, err := h.Plane.Identity(r.Context(), peer.Region, params.Issuer, params.Subject)
	if err != nil {
		h.errors.Write(w, r, err)
		return
	}
	rest.WriteJSON(w, http.StatusOK, identity)
}

// serve reads the message and answers with what the use case returns: a value
// for the status, nil for none.
func serve[M any](s *Server, w http.ResponseWriter, r *http.Request, status int, use func(context.Context, Peer, M) (any, error)) {
	peer := r.Context().Value(peerKey{}).(Peer) // admit sets it for every operation
	message, err := readMessage[M](w, r)
	if err != nil {
		s.errors.Write(w, r, err)
		return
	}
	answer, err := use(r.Context(), peer, message)
	if err != nil {
		if errors.Is(err, errFenced) {
			s.Log.WarnContext(r.Context(), "a daemon whose epoch another one has taken over is refused",
				"region", peer.Region, "address", peer.Origin.Address, "path", r.URL.Path)
		}
		s.errors.Write(w, r, err)
		return
	}
	if answer == nil {
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		return
	}
	rest.WriteJSON(w, status, answer)
}

// readMessage decodes the body. Fields that it does not know are left alone,
// so that a newer region can speak to an older plane.
func readMessage[M any](w http.ResponseWriter, r *http.Request) (M, error) {
	var message M
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxMessage))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return message, err
	case err != nil:
		return message, cloud.Invalid("the body ended early")
	}
	body = bytes.TrimSpace(body)
	if len(body) == 0 || body[0] != '{' {
		return message, cloud.Invalid("the body must be a JSON object")
	}
	if err := json.Unmarshal(body, &message); err != nil {
		return message, explain(err)
	}
	return message, nil
}

// explain words why a body could not be decoded.
func explain(err error) error {
	var syntax *json.SyntaxError
	var mistyped *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return cloud.Invalid("the body is not JSON: %v at byte %d", syntax, syntax.Offset)
	case errors.As(err, &mistyped):
		return cloud.Invalid("%s must not be a JSON %.80s", mistyped.Field, mistyped.Value)
	default:
		return cloud.Invalid("the body does not fit the message")
	}
}
