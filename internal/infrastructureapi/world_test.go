package infrastructureapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/api"
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/infrastructureapi"
	"github.com/penstock-cloud/penstock/internal/observe"
	"github.com/penstock-cloud/penstock/internal/rest"
	"github.com/penstock-cloud/penstock/internal/rest/resttest"
)

// base is the path under which the API lies.
const base = "/api/v1alpha1"

var theContract = sync.OnceValues(func() (*resttest.Contract, error) { return resttest.LoadContract(api.Infrastructure) })

// world is a region's port as in production, before a region that is a fake.
// Every answer is held against the document.
type world struct {
	t       testing.TB
	region  *fake
	api     *infrastructureapi.Server
	handler http.Handler // the API, observed
	log     *bytes.Buffer
	client  *http.Client
}

func newWorld(t testing.TB) *world { return newWorldWith(t, tokens{}) }

func newWorldWith(t testing.TB, verifier rest.Verifier) *world {
	t.Helper()
	w := &world{t: t, region: newFake(), log: &bytes.Buffer{}}
	clusters, err := declared()
	if err != nil {
		t.Fatal(err)
	}
	document, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewJSONHandler(w.log, nil))
	w.api, err = infrastructureapi.NewServer(infrastructureapi.Config{
		Region: w.region, Clusters: clusters, Verifier: verifier, Log: log,
		ClientAddress: func(*http.Request) string { return "192.0.2.1" },
	})
	if err != nil {
		t.Fatal(err)
	}
	w.handler = observe.Middleware(observe.Config{
		API: "infrastructure", Operations: w.api.Operations(), Metrics: observe.NewMetrics("test"), Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return start }, NewID: func() cloud.ID { return nobody },
	}, w.api)
	w.client = &http.Client{Transport: resttest.Checked{T: t, Contract: document, Next: resttest.InProcess{Handler: w.handler}}}
	return w
}

// reply is an answer, read to its end.
type reply struct {
	t      testing.TB
	what   string // the request, for messages
	status int
	header http.Header
	body   string
}

// call sends a request as somebody, about the project training unless another
// is named; headers come in pairs, and "" takes a header away.
func (w *world) call(who, method, path, body string, headers ...string) reply {
	w.t.Helper()
	r := reply{t: w.t, what: method + " " + path + " as " + or(who, "anonymous")}
	request, err := http.NewRequestWithContext(context.Background(), method, "http://region.example.com"+base+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatalf("%s: %v", r.what, err)
	}
	request.Header.Set("X-PROJECT-ID", training)
	if who != anonymous {
		request.Header.Set("Authorization", "Bearer "+who)
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
		w.t.Fatalf("%s: %v", r.what, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatalf("%s: %v", r.what, err)
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
	for _, text := range texts {
		if message := r.message(); !strings.Contains(message, text) {
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

func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}
