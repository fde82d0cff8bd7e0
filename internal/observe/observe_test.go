package observe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/observe"
)

const (
	madeID = "0198a1b2-0000-7000-8000-00000000000a"
	userID = "0198a1b2-0000-7000-8000-000000000001"
)

var start = time.Date(2026, 3, 1, 13, 0, 0, 0, time.FixedZone("CET", 3600))

// rig is an observed API with its log and metrics in view.
type rig struct {
	http.Handler
	out     *lines
	flush   func()
	metrics *observe.Metrics
}

// lines collects what is written to a log.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// newRig observes a handler that is mounted on several patterns. Every reading
// of the clock is 1.5 ms after the one before.
func newRig(h http.HandlerFunc) *rig {
	mux := http.NewServeMux()
	mux.Handle("GET /instances", h)
	mux.Handle("GET /instances/{id}", h)
	return newRigOn(mux)
}

func newRigOn(next http.Handler) *rig {
	out := &lines{}
	log, flush := observe.NewLogger(out, slog.LevelInfo)
	metrics := observe.NewMetrics("v1.2.3")
	var mu sync.Mutex
	now := start
	return &rig{
		out: out, flush: flush, metrics: metrics,
		Handler: observe.Middleware(observe.Config{
			API: "management",
			Operations: map[string]string{
				"GET /instances": "ListInstances", "GET /instances/{id}": "GetInstance",
			},
			Metrics: metrics,
			Log:     log,
			Now: func() time.Time {
				mu.Lock()
				defer mu.Unlock()
				now = now.Add(1500 * time.Microsecond)
				return now
			},
			NewID: func() cloud.ID { return madeID },
		}, next),
	}
}

func (r *rig) get(t *testing.T, target string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	return r.do(t, http.MethodGet, target, header...)
}

func (r *rig) do(t *testing.T, method, target string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	return w
}

// logged returns the log so far, one map a line.
func (r *rig) logged(t *testing.T) []map[string]any {
	t.Helper()
	r.flush()
	var all []map[string]any
	for line := range strings.Lines(r.out.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		all = append(all, m)
	}
	return all
}

func (r *rig) scrape(t *testing.T) string {
	t.Helper()
	w := httptest.NewRecorder()
	observe.OpsHandler(r.metrics).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func empty(http.ResponseWriter, *http.Request) {}

func TestAccessLog(t *testing.T) {
	t.Parallel()
	r := newRig(func(w http.ResponseWriter, req *http.Request) {
		observe.NoteUser(req.Context(), userID)
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "[{},{}]")
	})
	r.get(t, "/instances/secret-id?token=secret-query", "Authorization", "Bearer secret-token", "X-Request-ID", "abc")
	want := []map[string]any{{
		"time": "2026-03-01T12:00:00.003Z", "level": "INFO", "msg": "request", "request_id": "abc",
		"api": "management", "method": "GET", "route": "GET /instances/{id}", "operation": "GetInstance",
		"status": 418.0, "bytes": 7.0, "duration_us": 1500.0, "user_id": userID,
	}}
	if diff := cmp.Diff(want, r.logged(t)); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(r.out.String(), "secret") {
		t.Errorf("the log holds what it must not: %s", r.out)
	}
}

func TestAccessLogLevel(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		logs, line slog.Level
		want       int
	}{
		"a quiet line in a usual log":   {slog.LevelInfo, slog.LevelDebug, 0},
		"a quiet line in a verbose log": {slog.LevelDebug, slog.LevelDebug, 1},
		"a usual line in a usual log":   {slog.LevelInfo, slog.LevelInfo, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out lines
			log, flush := observe.NewLogger(&out, c.logs)
			h := observe.Middleware(observe.Config{
				API: "federation", Level: c.line, Log: log, Metrics: observe.NewMetrics(""),
				Now: func() time.Time { return start }, NewID: func() cloud.ID { return madeID },
			}, http.HandlerFunc(empty))
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
			flush()
			if got := strings.Count(out.String(), "\n"); got != c.want {
				t.Errorf("got %d lines; want %d: %s", got, c.want, out.String())
			}
		})
	}
}

func TestAccessLogOfWhatMatchesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(empty)
	r.get(t, "/secret-path")
	r.do(t, http.MethodPost, "/instances")
	base := func(method string, status float64) map[string]any {
		return map[string]any{
			"level": "INFO", "msg": "request", "request_id": madeID, "api": "management",
			"method": method, "route": "", "operation": "unmatched", "status": status, "duration_us": 1500.0,
		}
	}
	want := []map[string]any{base("GET", 404), base("POST", 405)}
	ignore := cmpopts.IgnoreMapEntries(func(k string, _ any) bool { return k == "time" || k == "bytes" })
	if diff := cmp.Diff(want, r.logged(t), ignore); diff != "" {
		t.Error(diff)
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 64)
	for name, c := range map[string]struct {
		given []string
		want  string
	}{
		"none":                  {nil, madeID},
		"a good one":            {[]string{"Az09._-"}, "Az09._-"},
		"one character":         {[]string{"a"}, "a"},
		"64 characters":         {[]string{long}, long},
		"65 characters":         {[]string{long + "x"}, madeID},
		"empty":                 {[]string{""}, madeID},
		"a space":               {[]string{"a b"}, madeID},
		"a quote":               {[]string{`a"b`}, madeID},
		"a line break":          {[]string{"a\nb"}, madeID},
		"beyond ASCII":          {[]string{"é"}, madeID},
		"two good ones":         {[]string{"a", "b"}, madeID},
		"an injected log field": {[]string{`x","user_id":"y`}, madeID},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var inside string
			r := newRig(func(_ http.ResponseWriter, req *http.Request) {
				ctx, cancel := context.WithCancel(req.Context())
				defer cancel()
				inside = observe.RequestID(ctx)
			})
			var header []string
			for _, id := range c.given {
				header = append(header, "X-Request-ID", id)
			}
			w := r.get(t, "/instances", header...)
			if diff := cmp.Diff([]string{c.want}, w.Header().Values("X-Request-ID")); diff != "" {
				t.Error("header", diff)
			}
			if inside != c.want {
				t.Errorf("got %q in the context; want %q", inside, c.want)
			}
			if got := r.logged(t)[0]["request_id"]; got != c.want {
				t.Errorf("got %q in the log; want %q", got, c.want)
			}
		})
	}
	if id := observe.RequestID(t.Context()); id != "" {
		t.Errorf("got %q outside of any request; want none", id)
	}
	observe.NoteUser(t.Context(), userID) // harmless there, too
}

func TestPanicBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"x"`)
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Length", "1000")
		w.Header().Set("Cache-Control", "public")
		panic("secret detail")
	})
	w := r.get(t, "/instances")
	if w.Code != http.StatusInternalServerError {
		t.Errorf("got %d; want 500", w.Code)
	}
	if want := `{"message":"internal error; quote request id ` + madeID + `"}` + "\n"; w.Body.String() != want {
		t.Errorf("got %s; want %s", w.Body, want)
	}
	wantHeader := http.Header{"Content-Type": {"application/json"}, "X-Request-Id": {madeID}}
	if diff := cmp.Diff(wantHeader, w.Header()); diff != "" {
		t.Error(diff)
	}
	log := r.logged(t)
	if len(log) != 2 {
		t.Fatalf("got %d lines; want the panic and the request", len(log))
	}
	if log[0]["level"] != "ERROR" || log[0]["panic"] != "secret detail" || log[0]["request_id"] != madeID ||
		!strings.Contains(log[0]["stack"].(string), "TestPanicBeforeTheAnswer") {
		t.Errorf("got %v; want the panic with the place where it happened", log[0])
	}
	if log[1]["status"] != 500.0 || log[1]["operation"] != "ListInstances" {
		t.Errorf("got %v; want a line for the request", log[1])
	}
	if want := `penstock_http_requests_total{api="management",code="500",operation="ListInstances"} 1`; !strings.Contains(r.scrape(t), want) {
		t.Errorf("%s is missing", want)
	}
}

// A half-written answer must not look whole.
func TestPanicWithinTheAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		status  float64
		panics  int // lines about a panic
	}{
		"half an answer": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "[{")
			_ = http.NewResponseController(w).Flush()
			panic("oh")
		}, 200, 1},
		"aborted half-way": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "[{")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, 200, 0},
		"aborted at once": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 500, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(c.handler)
			server := httptest.NewServer(r)
			defer server.Close()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/instances", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := server.Client().Do(req)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				_ = resp.Body.Close()
			}
			if err == nil {
				t.Error("the client took the answer for a whole one")
			}
			log := r.logged(t)
			if len(log) != c.panics+1 || log[c.panics]["status"] != c.status {
				t.Errorf("got %v; want %d lines about a panic and then the request with %v", log, c.panics, c.status)
			}
		})
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	status := http.StatusOK
	r := newRig(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
	for range 3 {
		r.get(t, "/instances")
	}
	status = http.StatusNotModified
	r.get(t, "/instances")
	status = 999 // net/http lets it pass
	r.get(t, "/instances")
	r.get(t, "/nowhere")

	got := r.scrape(t)
	for _, want := range []string{
		`penstock_http_requests_total{api="management",code="200",operation="ListInstances"} 3`,
		`penstock_http_requests_total{api="management",code="304",operation="ListInstances"} 1`,
		`penstock_http_requests_total{api="management",code="999",operation="ListInstances"} 1`,
		`penstock_http_requests_total{api="management",code="404",operation="unmatched"} 1`,
		`penstock_http_request_duration_seconds_count{api="management",operation="ListInstances"} 5`,
		`penstock_http_request_duration_seconds_bucket{api="management",operation="ListInstances",le="0.001"} 0`,
		`penstock_http_request_duration_seconds_bucket{api="management",operation="ListInstances",le="0.0025"} 5`,
		`penstock_http_request_duration_seconds_count{api="management",operation="GetInstance"} 0`,
		`version="v1.2.3"} 1`,
		`penstock_build_info{goversion="go1.`,
		"\ngo_goroutines ",
		"\nprocess_open_fds ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}

// What the handlers do with their ResponseWriter goes through.
func TestResponseWriter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		status  float64
		bytes   float64
	}{
		"nothing written":   {empty, 200, 0},
		"a body alone":      {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "abc") }, 200, 3},
		"a file or such":    {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, onlyReader("abcde")) }, 200, 5},
		"a status only":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, 204, 0},
		"a hint, an answer": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(404) }, 404, 0},
		"a broken source, then an error": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, broken{})
			w.WriteHeader(503)
		}, 503, 0},
		"the first status counts": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200); w.WriteHeader(500) }, 200, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(c.handler)
			r.get(t, "/instances")
			if got := r.logged(t)[0]; got["status"] != c.status || got["bytes"] != c.bytes {
				t.Errorf("got %v with %v bytes; want %v with %v", got["status"], got["bytes"], c.status, c.bytes)
			}
		})
	}
	r := newRig(func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
	})
	if !r.get(t, "/instances").Flushed {
		t.Error("a flush did not go through")
	}
}

// onlyReader hides strings.Reader's WriteTo, so that io.Copy uses ReadFrom.
func onlyReader(s string) io.Reader { return struct{ io.Reader }{strings.NewReader(s)} }

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("broken") }

// A mux under another one is seen through Route.
func TestRouteUnderAPrefix(t *testing.T) {
	t.Parallel()
	inner := http.NewServeMux()
	inner.Handle("GET /instances/{id}", observe.Route(http.HandlerFunc(empty)))
	outer := http.NewServeMux()
	outer.Handle("/api/", http.StripPrefix("/api", inner))
	r := newRigOn(outer)
	r.get(t, "/api/instances/7")
	if got := r.logged(t)[0]; got["operation"] != "GetInstance" || got["route"] != "GET /instances/{id}" {
		t.Errorf("got %v; want GetInstance", got)
	}
}

func TestMiddlewareConcurrently(t *testing.T) {
	t.Parallel()
	r := newRig(func(w http.ResponseWriter, req *http.Request) {
		observe.NoteUser(req.Context(), cloud.ID(observe.RequestID(req.Context())))
		w.WriteHeader(http.StatusAccepted)
	})
	var wg sync.WaitGroup
	for _, id := range []string{"a", "b", "c", "d"} {
		wg.Go(func() {
			for range 50 {
				r.get(t, "/instances", "X-Request-ID", id)
			}
		})
	}
	wg.Wait()
	log := r.logged(t)
	if len(log) != 200 {
		t.Errorf("got %d lines; want 200", len(log))
	}
	for _, line := range log {
		if line["user_id"] != line["request_id"] {
			t.Errorf("requests got mixed up in %v", line)
		}
	}
	if want := `code="202",operation="ListInstances"} 200`; !strings.Contains(r.scrape(t), want) {
		t.Errorf("%s is missing", want)
	}
}

func TestLogger(t *testing.T) {
	t.Parallel()
	var out lines
	log, flush := observe.NewLogger(&out, slog.LevelInfo)
	log.Debug("unheard")
	log.With("part", "link").WithGroup("region").Info("hello", "name", "west-1", "credential", cloud.NewSecret("hunter2"))
	flush()
	var got map[string]any
	if err := json.Unmarshal([]byte(out.String()), &got); err != nil {
		t.Fatalf("%v in %q", err, out.String())
	}
	if at, ok := got["time"].(string); !ok || !strings.HasSuffix(at, "Z") {
		t.Errorf("got the time %v; want UTC", got["time"])
	}
	delete(got, "time")
	want := map[string]any{
		"level": "INFO", "msg": "hello", "part": "link",
		"region": map[string]any{"name": "west-1", "credential": "[redacted]"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What a caller does not get to read is in the log, however it is wrapped.
func TestLogExplainsErrors(t *testing.T) {
	t.Parallel()
	refusal := cloud.Unavailable(errors.New("the disk is full"))
	for name, err := range map[string]error{"alone": refusal, "wrapped": fmt.Errorf("write: %w", refusal)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			log, flush := observe.NewLogger(&out, slog.LevelInfo)
			defer flush()
			log.Warn("it failed", "error", err)
			if !strings.Contains(out.String(), "the disk is full") {
				t.Errorf("got %s", out.String())
			}
		})
	}
}

func TestLogIsWrittenInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out lines
		log, flush := observe.NewLogger(&out, slog.LevelInfo)
		count := func() int {
			synctest.Wait()
			return strings.Count(out.String(), "\n")
		}
		for round := range 3 { // it must work more than once
			before := count()
			log.Info("one")
			time.Sleep(99 * time.Millisecond)
			log.Info("two")
			if n := count() - before; n != 0 {
				t.Fatalf("round %d: %d lines were written before their time", round, n)
			}
			time.Sleep(time.Millisecond)
			if n := count() - before; n != 2 {
				t.Fatalf("round %d: %d lines were written within 100 ms of the first; want 2", round, n)
			}
		}

		before := count()
		log.Info("waits")
		log.Warn("does not")
		if n := count() - before; n != 2 {
			t.Errorf("%d lines were written at a warning; want 2", n)
		}

		before = count()
		log.Info("waits")
		flush()
		if n := count() - before; n != 1 {
			t.Errorf("%d lines were written at a flush; want 1", n)
		}

		before = count()
		log.Info(strings.Repeat("x", 64<<10))
		if n := count() - before; n != 1 {
			t.Errorf("%d lines were written when the buffer was full; want 1", n)
		}
	})
}

func TestOpsHandler(t *testing.T) {
	t.Parallel()
	h := observe.OpsHandler(observe.NewMetrics("test"))
	for _, c := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/healthz", 200, "ok"},
		{"GET", "/metrics", 200, "penstock_build_info"},
		{"GET", "/debug/pprof/", 200, "goroutine"},
		{"GET", "/debug/pprof/heap?debug=1", 200, "heap profile"},
		{"GET", "/debug/pprof/cmdline", 200, "observe"},
		{"GET", "/debug/pprof/symbol", 200, "num_symbols"},
		{"GET", "/debug/pprof/nothing", 404, "Unknown profile"},
		{"POST", "/metrics", 405, ""},
		{"GET", "/", 404, ""},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), c.method, c.path, nil))
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.body) {
			t.Errorf("%s %s: got %d %.80s; want %d with %q", c.method, c.path, w.Code, w.Body, c.status, c.body)
		}
	}
}
