package observe

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// RequestIDHeader carries the id of a request, in both directions.
const RequestIDHeader = "X-Request-Id"

// maxRequestID is the longest id, in bytes, that is taken from a caller.
const maxRequestID = 64

// Config says what to observe and how.
type Config struct {
	API        string            // the label of its metrics
	Operations map[string]string // operation by ServeMux pattern, "GET /regions": "ListRegions"
	Metrics    *Metrics
	Log        *slog.Logger
	Level      slog.Level // of the line for each request; zero is Info
	Now        func() time.Time
	NewID      func() cloud.ID // for requests that bring no id
}

// unmatched is the operation of requests that match no pattern: 404 and 405.
const unmatched = "unmatched"

// Middleware gives every request an id, notes its end in the log and in the
// metrics, and answers 500 where the handler panics. It belongs outside of all
// else.
//
// The pattern is taken from the request when next is done. A middleware between
// this one and the mux that passes a copy of the request on hides it; Route,
// inside the mux, makes up for that.
func Middleware(c Config, next http.Handler) http.Handler {
	o := &observer{
		Config:     c,
		next:       next,
		operations: make(map[string]*operation, len(c.Operations)),
		unmatched:  newOperation(c, "", unmatched),
	}
	for pattern, name := range c.Operations {
		o.operations[pattern] = newOperation(c, pattern, name)
	}
	return o
}

// operation is one operation with its part of the log's line encoded and its
// metrics at hand, so that a request does neither again.
type operation struct {
	log     slog.Handler
	metrics *operationMetrics
}

func newOperation(c Config, pattern, name string) *operation {
	return &operation{
		log: c.Log.Handler().WithAttrs([]slog.Attr{
			slog.String("api", c.API), slog.String("route", pattern), slog.String("operation", name),
		}),
		metrics: c.Metrics.operation(c.API, name),
	}
}

type observer struct {
	Config
	next       http.Handler
	operations map[string]*operation // by pattern
	unmatched  *operation
}

// exchange is one request with its answer. It is both the request's context
// and its response writer, so that observing costs one allocation. It is not
// used again: a handler may leave the context with somebody who outlives it.
type exchange struct {
	context.Context
	http.ResponseWriter

	id      [1]string // as the header's value
	pattern string
	user    cloud.ID
	started time.Time
	status  int // 0 until the header is written
	bytes   int64
}

func (o *observer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e := &exchange{Context: r.Context(), ResponseWriter: w, started: o.Now()}
	if given := r.Header[RequestIDHeader]; len(given) == 1 && validRequestID(given[0]) {
		e.id[0] = given[0]
	} else {
		e.id[0] = string(o.NewID())
	}
	w.Header()[RequestIDHeader] = e.id[:]
	r = r.WithContext(e)
	defer o.finish(e, r)
	o.next.ServeHTTP(e, r)
}

// finish is deferred, so that it sees panics.
func (o *observer) finish(e *exchange, r *http.Request) {
	panicked := recover()
	cut := false // the answer cannot be completed
	if panicked != nil {
		cut = o.answerPanic(e, panicked)
	}
	if e.status == 0 {
		e.status = http.StatusOK // net/http's answer to a handler that wrote nothing
	}
	if e.pattern == "" {
		e.pattern = r.Pattern
	}
	op, ok := o.operations[e.pattern]
	if !ok {
		op = o.unmatched
	}
	took := o.Now().Sub(e.started)
	op.metrics.observe(e.status, took)
	o.log(e, r, op, took)
	if cut {
		panic(http.ErrAbortHandler) // net/http closes the connection, so that the client notices
	}
}

// log writes the access log's line. It goes to the handler without the Logger's
// search for the calling line of code, which is always this one.
func (o *observer) log(e *exchange, r *http.Request, op *operation, took time.Duration) {
	if !op.log.Enabled(e, o.Level) {
		return
	}
	line := slog.NewRecord(e.started.Add(took), o.Level, "request", 0)
	line.AddAttrs(
		slog.String("method", r.Method),
		slog.Int("status", e.status),
		slog.Int64("bytes", e.bytes),
		slog.Int64("duration_us", took.Microseconds()),
	)
	if e.user != "" {
		line.AddAttrs(slog.String("user_id", string(e.user)))
	}
	_ = op.log.Handle(e, line)
}

// answerPanic answers in the handler's stead, or reports that it cannot.
func (o *observer) answerPanic(e *exchange, panicked any) (cut bool) {
	if panicked == http.ErrAbortHandler { //nolint:errorlint // the handler's own wish, compared as net/http does
		if e.status == 0 {
			e.status = http.StatusInternalServerError
		}
		return true
	}
	o.Log.LogAttrs(e, slog.LevelError, "panic", slog.Any("panic", panicked), slog.String("stack", string(debug.Stack())))
	if e.status != 0 {
		return true
	}
	h := e.Header()
	for _, name := range []string{"Cache-Control", "Content-Encoding", "Content-Length", "Etag"} {
		h.Del(name) // they were about another body
	}
	h.Set("Content-Type", "application/json")
	e.WriteHeader(http.StatusInternalServerError)
	_, _ = io.WriteString(e, `{"message":"internal error; quote request id `+e.id[0]+`"}`+"\n")
	return false
}

// validRequestID keeps what callers send from doing harm in logs, headers and
// the text of JSON.
func validRequestID(id string) bool {
	if len(id) == 0 || len(id) > maxRequestID {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// RequestID returns the id of the request that the context belongs to, or "".
func RequestID(ctx context.Context) string {
	if e := exchangeOf(ctx); e != nil {
		return e.id[0]
	}
	return ""
}

// NoteUser tells whose request it is, once that is known.
func NoteUser(ctx context.Context, user cloud.ID) {
	if e := exchangeOf(ctx); e != nil {
		e.user = user
	}
}

// Route notes the pattern that the mux around it matched.
func Route(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if e := exchangeOf(r.Context()); e != nil {
			e.pattern = r.Pattern
		}
		next.ServeHTTP(w, r)
	})
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	e, _ := ctx.Value(exchangeKey{}).(*exchange)
	return e
}

// Value implements context.Context.
func (e *exchange) Value(key any) any {
	if key == (exchangeKey{}) {
		return e
	}
	return e.Context.Value(key)
}

// WriteHeader implements http.ResponseWriter.
func (e *exchange) WriteHeader(status int) {
	if e.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) { // others are only informational
		e.status = status
	}
	e.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (e *exchange) Write(p []byte) (int, error) {
	if e.status == 0 {
		e.status = http.StatusOK
	}
	n, err := e.ResponseWriter.Write(p)
	e.bytes += int64(n)
	return n, err
}

// ReadFrom implements io.ReaderFrom, with which net/http sends files.
func (e *exchange) ReadFrom(src io.Reader) (int64, error) {
	n, err := io.Copy(e.ResponseWriter, src)
	if n > 0 && e.status == 0 {
		e.status = http.StatusOK
	}
	e.bytes += n
	return n, err
}

// Unwrap is for http.ResponseController.
func (e *exchange) Unwrap() http.ResponseWriter { return e.ResponseWriter }
