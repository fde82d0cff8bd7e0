package federation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

const (
	// BasePath is where the plane serves the federation API.
	BasePath = "/federation/v1alpha1"
	// MaxMessage bounds the body of a message, in bytes.
	MaxMessage = 4 << 20
)

// NewServer serves the plane's end of the link over HTTP, under BasePath.
func NewServer(p *Plane) http.Handler {
	mux := http.NewServeMux()
	s := &server{plane: p, log: p.log}
	wire.HandlerWithOptions(s, wire.StdHTTPServerOptions{
		BaseURL:    BasePath,
		BaseRouter: mux,
		// The wrapper reads path parameters before authentication, and so may
		// not refuse them itself; only a number can be malformed here.
		ErrorHandlerFunc: func(w http.ResponseWriter, r *http.Request, err error) {
			serve(s, w, r, http.StatusBadRequest, func(context.Context, Peer, json.RawMessage) (any, error) {
				var param *wire.InvalidParamFormatError
				if errors.As(err, &param) {
					return nil, cloud.Invalid("%s in the path is malformed", param.ParamName)
				}
				return nil, cloud.Invalid("the path is malformed")
			})
		},
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, pattern := mux.Handler(r); pattern == "" {
			refuseRoute(w, r, h)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// Operations names the operations that NewServer serves, by mux pattern, for
// metrics and logs.
func Operations() map[string]string {
	return map[string]string{
		"POST " + BasePath + "/hello":                        "Hello",
		"POST " + BasePath + "/sync":                         "Sync",
		"POST " + BasePath + "/snapshots":                    "BeginSnapshot",
		"PUT " + BasePath + "/snapshots/{id}/pages/{number}": "PutSnapshotPage",
		"POST " + BasePath + "/snapshots/{id}/commit":        "CommitSnapshot",
	}
}

// server implements wire.ServerInterface: it translates, and nothing else.
type server struct {
	plane *Plane
	log   *slog.Logger
}

var _ wire.ServerInterface = (*server)(nil)

// Hello implements POST /hello.
func (s *server) Hello(w http.ResponseWriter, r *http.Request) {
	serve(s, w, r, http.StatusOK, func(ctx context.Context, peer Peer, req wire.HelloRequest) (any, error) {
		return s.plane.Hello(ctx, peer, req)
	})
}

// Sync implements POST /sync.
func (s *server) Sync(w http.ResponseWriter, r *http.Request) {
	serve(s, w, r, http.StatusOK, func(ctx context.Context, peer Peer, req wire.SyncRequest) (any, error) {
		return s.plane.Sync(ctx, peer, req)
	})
}

// BeginSnapshot implements POST /snapshots.
func (s *server) BeginSnapshot(w http.ResponseWriter, r *http.Request) {
	serve(s, w, r, http.StatusCreated, func(ctx context.Context, peer Peer, req wire.SnapshotRequest) (any, error) {
		id, err := s.plane.BeginSnapshot(ctx, peer, req)
		return wire.SnapshotBegun{ID: string(id)}, err
	})
}

// PutSnapshotPage implements PUT /snapshots/{id}/pages/{number}.
func (s *server) PutSnapshotPage(w http.ResponseWriter, r *http.Request, id wire.ID, number int) {
	serve(s, w, r, http.StatusNoContent, func(ctx context.Context, peer Peer, req wire.SnapshotPage) (any, error) {
		return nil, s.plane.PutPage(ctx, peer, cloud.ID(id), number, req)
	})
}

// CommitSnapshot implements POST /snapshots/{id}/commit.
func (s *server) CommitSnapshot(w http.ResponseWriter, r *http.Request, id wire.ID) {
	serve(s, w, r, http.StatusNoContent, func(ctx context.Context, peer Peer, req wire.SnapshotCommit) (any, error) {
		return nil, s.plane.CommitSnapshot(ctx, peer, cloud.ID(id), req)
	})
}

// serve authenticates the region, reads the message and answers with what the
// use case returns: a value for the status, nil for none.
func serve[M any](s *server, w http.ResponseWriter, r *http.Request, status int, use func(context.Context, Peer, M) (any, error)) {
	id := w.Header().Get("X-Request-ID") // given by what is mounted around us
	if id == "" {
		id = string(s.plane.newID())
		w.Header().Set("X-Request-ID", id)
	}
	answer, err := func() (any, error) {
		region, err := s.plane.Authenticate(r.Context(), bearer(r))
		if err != nil {
			return nil, err
		}
		message, err := readMessage[M](w, r)
		if err != nil {
			return nil, err
		}
		return use(r.Context(), Peer{region, cloud.Origin{RequestID: id, Address: address(r)}}, message)
	}()
	if err != nil {
		s.refuse(w, r, id, err)
		return
	}
	writeJSON(w, status, answer)
}

// bearer returns the credential in the request (RFC 6750, 2.1), or an empty
// one, which is nobody's.
func bearer(r *http.Request) cloud.Secret {
	scheme, credential, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return cloud.Secret{}
	}
	return cloud.NewSecret(strings.TrimSpace(credential))
}

func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// readMessage decodes the body. Fields that it does not know are left alone,
// so that a newer region can speak to an older plane.
func readMessage[M any](w http.ResponseWriter, r *http.Request) (M, error) {
	var message M
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxMessage))
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return message, cloud.TooLarge("a message must be at most %d bytes", over.Limit)
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

// statuses maps the codes of refusals; what is not among them is a 500.
var statuses = map[cloud.Code]int{
	cloud.CodeInvalid:         http.StatusBadRequest,
	cloud.CodeUnauthenticated: http.StatusUnauthorized,
	cloud.CodeNotFound:        http.StatusNotFound,
	cloud.CodeConflict:        http.StatusConflict,
	cloud.CodeTooLarge:        http.StatusRequestEntityTooLarge,
	cloud.CodeUnavailable:     http.StatusServiceUnavailable,
}

// refuse answers with the error's status. It is the one place that decides
// what a region gets to read of an error.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, id string, err error) {
	status, known := statuses[cloud.CodeOf(err)]
	refusal := wire.Error{Message: err.Error()}
	var c *conflict
	switch {
	case !known:
		status = http.StatusInternalServerError
		refusal.Message = fmt.Sprintf("internal error; quote the request id %s to the operator", id)
		s.log.ErrorContext(r.Context(), "a federation request failed", "request_id", id, "path", r.URL.Path, "error", err)
	case status == http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "1")
		s.log.WarnContext(r.Context(), "a federation request found the database away", "request_id", id, "path", r.URL.Path, "error", errors.Unwrap(err))
	case status == http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="penstock federation"`)
	case errors.As(err, &c):
		refusal.Code = &c.code
	}
	writeJSON(w, status, refusal)
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Cache-Control", "no-store")
	if value == nil {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // our own types encode, and the caller may be gone
}

// refuseRoute says in JSON what the mux would say in text.
func refuseRoute(w http.ResponseWriter, r *http.Request, h http.Handler) {
	said := &silent{header: make(http.Header)}
	h.ServeHTTP(said, r)
	if allow := said.header.Get("Allow"); allow != "" {
		w.Header().Set("Allow", allow)
		writeJSON(w, http.StatusMethodNotAllowed, wire.Error{Message: fmt.Sprintf("%s is not possible here; use %s", r.Method, allow)})
		return
	}
	writeJSON(w, http.StatusNotFound, wire.Error{Message: "no such path; the federation API lies under " + BasePath})
}

// silent is a ResponseWriter of which only the headers count.
type silent struct{ header http.Header }

func (s *silent) Header() http.Header         { return s.header }
func (s *silent) Write(b []byte) (int, error) { return len(b), nil }
func (s *silent) WriteHeader(int)             {}
