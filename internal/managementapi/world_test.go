package managementapi_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/auth/issuer"
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/managementapi"
	"github.com/penstock-cloud/penstock/internal/observe"
	"github.com/penstock-cloud/penstock/internal/rest"
	"github.com/penstock-cloud/penstock/internal/rest/resttest"
	"github.com/penstock-cloud/penstock/internal/store/postgres"
	"github.com/penstock-cloud/penstock/internal/store/postgres/pgtest"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
)

// base is the path under which the API lies.
const base = "/api/v1alpha1"

// world is a plane as in production, with the cast in its database, the time
// in the test's hand, and every answer held against the document.
type world struct {
	t        testing.TB
	database string        // the URL, if it is PostgreSQL's
	file     string        // of the database, if that is SQLite's
	stores   []cloud.Store // of each process
	store    cloud.Store   // of any
	clock    *clock
	log      *lines
	flushLog func()
	tokens   map[string]string
	newID    func() cloud.ID
	control  *control.Control
	api      *managementapi.Server
	handler  http.Handler // the API, observed
	urls     []string     // where it is served, by one process each
	client   *http.Client
	dumper   dumper
	options  []control.Option // of what is served from now on
}

// wrap puts something between the API and its store.
type wrap func(cloud.Store) cloud.Store

// newWorld is a plane of one process, on SQLite.
func newWorld(t testing.TB, wraps ...wrap) *world {
	t.Helper()
	return newWorldWith(t, nil, wraps...)
}

// newWorldWith is a plane for which the operator chose something.
func newWorldWith(t testing.TB, options []control.Option, wraps ...wrap) *world {
	t.Helper()
	made, err := theCast()
	if err != nil {
		t.Fatal(err)
	}
	w := newStage(t, made)
	w.options = options
	w.file = filepath.Join(t.TempDir(), "plane.db")
	if err := os.WriteFile(w.file, made.database, 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.OpenPlane(t.Context(), w.file)
	if err != nil {
		t.Fatal(err)
	}
	w.serve(store, wraps...)
	return w
}

// newReplicas is a plane of two processes, on PostgreSQL. Each request reaches
// either of them.
func newReplicas(t testing.TB, options ...control.Option) *world {
	t.Helper()
	made, err := theCast()
	if err != nil {
		t.Fatal(err)
	}
	w := newStage(t, made)
	w.options = options
	database, err := url.Parse(pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	query := database.Query()
	query.Set("pool_max_conns", "6")
	w.database = database.String()
	database.RawQuery = query.Encode()
	for range 2 {
		store, err := postgres.OpenPlane(t.Context(), database.String(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if len(w.urls) == 0 {
			if err := made.enter(t.Context(), store); err != nil {
				t.Fatal(err)
			}
		}
		w.serve(store)
	}
	return w
}

// everywhere runs a test on a plane of one process, and on one of several.
func everywhere(t *testing.T, test func(t *testing.T, w *world), options ...control.Option) {
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		test(t, newWorldWith(t, options))
	})
	t.Run("replicas on PostgreSQL", func(t *testing.T) {
		t.Parallel()
		test(t, newReplicas(t, options...))
	})
}

// newStage is a world without a plane yet.
func newStage(t testing.TB, made cast) *world {
	t.Helper()
	document, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, clock: &clock{now: start}, log: &lines{}, tokens: maps.Clone(made.tokens), newID: idsFrom(0x1000)}
	w.client = &http.Client{
		Transport:     resttest.Checked{T: t, Contract: document, Next: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 8}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(w.client.CloseIdleConnections)
	return w
}

// serve adds a process of the plane, with a store of its own.
func (w *world) serve(opened cloud.Store, wraps ...wrap) {
	w.t.Helper()
	w.t.Cleanup(func() { opened.Close() })
	w.store, w.stores = opened, append(w.stores, opened)
	store := opened
	for _, f := range wraps {
		store = f(store)
	}
	log, flush := observe.NewLogger(w.log, slog.LevelInfo)
	w.flushLog = flush
	tokens := issuer.New(store, w.clock.Now, w.newID)
	w.control = control.New(store, w.clock.Now, w.newID, cloud.DefaultHealthPolicy, append(w.options, control.WithPersonalTokens(tokens.MintPersonal))...)
	var err error
	w.api, err = managementapi.NewServer(managementapi.Config{
		Control:       w.control,
		Verifier:      auth.NewVerifier(tokens, w.clock.Now),
		Limits:        rest.NewLimits(rest.MaxRate, w.clock.Now),
		Log:           log,
		Now:           w.clock.Now,
		ClientAddress: func(*http.Request) string { return "192.0.2.1" },
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.handler = observe.Middleware(observe.Config{
		API: "management", Operations: w.api.Operations(), Metrics: observe.NewMetrics("test"), Log: log, Now: w.clock.Now, NewID: idsFrom(0xa000),
	}, w.api)
	server := httptest.NewServer(w.handler)
	w.t.Cleanup(server.Close)
	w.urls = append(w.urls, server.URL)
}

// url is that of any of the processes.
func (w *world) url() string { return w.urls[rand.IntN(len(w.urls))] }

// withoutNetwork calls the API in this process: a connection may break before
// the answer to a body that is too long has been read.
func (w *world) withoutNetwork() *world {
	document, err := theContract()
	if err != nil {
		w.t.Fatal(err)
	}
	w.client.Transport = resttest.Checked{T: w.t, Contract: document, Next: resttest.InProcess{Handler: w.handler}}
	return w
}

// clock is a time that passes when a test says so.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// logged is everything in the log so far.
func (w *world) logged() string {
	w.flushLog()
	return w.log.String()
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

func (l *lines) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Reset()
}

// reply is an answer, read to its end.
type reply struct {
	t      testing.TB
	what   string // the request, for messages
	status int
	header http.Header
	body   string
}

// call sends a request as somebody; headers come in pairs, and "" takes a
// header away. It may be used by several goroutines at once.
func (w *world) call(who, method, path, body string, headers ...string) reply {
	w.t.Helper()
	r := reply{t: w.t, what: method + " " + path + " as " + or(who, "anonymous")}
	request, err := http.NewRequestWithContext(context.Background(), method, w.url()+base+path, strings.NewReader(body))
	if err != nil {
		w.t.Errorf("%s: %v", r.what, err)
		return r
	}
	if who != anonymous {
		request.Header.Set("Authorization", "Bearer "+w.tokens[who])
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for pair := range slices.Chunk(headers, 2) {
		request.Header.Set(pair[0], pair[1])
		if pair[1] == "" {
			request.Header.Del(pair[0])
		}
	}
	response, err := w.client.Do(request)
	if err != nil {
		w.t.Errorf("%s: %v", r.what, err)
		return r
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Errorf("%s: %v", r.what, err)
	}
	r.status, r.header, r.body = response.StatusCode, response.Header, string(text)
	return r
}

func (w *world) get(who, path string, headers ...string) reply {
	w.t.Helper()
	return w.call(who, http.MethodGet, path, "", headers...)
}

// want fails the test unless the answer has the status.
func (r reply) want(status int) reply {
	r.t.Helper()
	if r.status != status {
		r.t.Errorf("%s: got %d %s; want %d", r.what, r.status, r.body, status)
	}
	return r
}

// says fails the test unless the answer is an error that says all of that.
func (r reply) says(texts ...string) reply {
	r.t.Helper()
	message := r.message()
	for _, text := range texts {
		if !strings.Contains(message, text) {
			r.t.Errorf("%s: got the message %q; want it to say %q", r.what, message, text)
		}
	}
	return r
}

func (r reply) message() string {
	r.t.Helper()
	var e struct{ Message string }
	r.into(&e)
	return e.Message
}

// into reads the answer's body as JSON.
func (r reply) into(v any) {
	r.t.Helper()
	if err := json.Unmarshal([]byte(r.body), v); err != nil {
		r.t.Errorf("%s: %d with the body %q: %v", r.what, r.status, r.body, err)
	}
}

// list reads a list of some kind.
func list[T any](r reply) []T {
	r.t.Helper()
	var items []T
	r.into(&items)
	return items
}

// write changes the database behind the API's back, as a region's reports do.
func (w *world) write(fn func(cloud.Writer) error) {
	w.t.Helper()
	if err := w.store.Write(context.Background(), fn); err != nil {
		w.t.Fatal(err)
	}
}

// read looks into the database.
func (w *world) read(fn func(cloud.Reader) error) {
	w.t.Helper()
	if err := w.store.Read(context.Background(), fn); err != nil {
		w.t.Fatal(err)
	}
}

// dumper reads a whole database, table by table.
type dumper struct {
	tables []string
	rows   map[string]*sql.Stmt
}

// dump is everything in the database, row by row, read from the file by a
// connection that cannot write.
func (w *world) dump() string {
	w.t.Helper()
	if w.dumper.rows == nil {
		w.openDumper()
	}
	var out strings.Builder
	for _, table := range w.dumper.tables {
		for _, row := range allRows(w.t, w.dumper.rows[table]) {
			fmt.Fprintln(&out, table, row)
		}
	}
	return out.String()
}

func (w *world) openDumper() {
	w.t.Helper()
	db, err := sql.Open("sqlite", "file:"+w.file+"?mode=ro&_pragma=query_only(1)")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { db.Close() })
	prepare := func(text string) *sql.Stmt {
		s, err := db.PrepareContext(w.t.Context(), text)
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(func() { s.Close() })
		return s
	}
	w.dumper.rows = map[string]*sql.Stmt{}
	for _, row := range allRows(w.t, prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")) {
		table := row[0].(string)
		w.dumper.tables = append(w.dumper.tables, table)
		w.dumper.rows[table] = prepare("SELECT * FROM " + table + " ORDER BY 1, 2")
	}
	if len(w.dumper.tables) < 10 {
		w.t.Fatalf("the database has only the tables %v", w.dumper.tables)
	}
}

func allRows(t testing.TB, s *sql.Stmt) (all [][]any) {
	t.Helper()
	rows, err := s.QueryContext(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		row, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
