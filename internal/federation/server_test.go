package federation_test

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
	"net/netip"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/federation"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

// api is the plane behind HTTP, as a region calls it.
type api struct {
	*stand
	server *httptest.Server
}

func newAPI(t *testing.T) api {
	t.Helper()
	s := newStand(t)
	a := api{s, httptest.NewServer(serverOf(t, s))}
	t.Cleanup(a.server.Close)
	return a
}

func serverOf(t *testing.T, s *stand) http.Handler {
	t.Helper()
	return newServer(t, s.plane, slog.New(slog.NewJSONHandler(s.logged, nil)))
}

func newServer(t *testing.T, plane *federation.Plane, log *slog.Logger) http.Handler {
	t.Helper()
	server, err := federation.NewServer(federation.ServerConfig{
		Plane: plane, Log: log,
		ClientAddress: func(r *http.Request) string {
			if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
				return peer.Addr().String()
			}
			return r.RemoteAddr
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return server
}

func (a api) client(credential cloud.Secret) *wire.ClientWithResponses {
	a.t.Helper()
	c, err := wire.NewClientWithResponses(a.server.URL+federation.BasePath,
		wire.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+credential.Reveal())
			return nil
		}))
	if err != nil {
		a.t.Fatal(err)
	}
	return c
}

// do sends a request, with west's credential unless the headers say otherwise.
func (a api) do(method, path string, body []byte, headers ...string) (int, http.Header, wire.Error) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.server.URL+path, bytes.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+credentialOf(west).Reveal())
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := a.server.Client().Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	var refusal wire.Error
	if resp.StatusCode >= 400 {
		if ct := resp.Header.Get("Content-Type"); ct != "application/json" {
			a.t.Errorf("%s %s: a refusal of type %q", method, path, ct)
		}
		if err := json.Unmarshal(text, &refusal); err != nil || refusal.Message == "" {
			a.t.Errorf("%s %s: the refusal %q is no error", method, path, text)
		}
	}
	return resp.StatusCode, resp.Header, refusal
}

func TestTheWholeWayOverHTTP(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	ctx := t.Context()
	c := a.client(credentialOf(west))
	r := newSite(a.stand, west)
	r.run(0, acme, cloud.InstanceRunning)
	r.set(instanceKey(1), json.RawMessage(
		`{"organization_id":"`+string(acme)+`","project_id":"`+string(project)+`","state":"running","source":"engine","name":"\u003cb\u003e é","x":1.50}`))

	hello, err := c.HelloWithResponse(ctx, r.helloMessage())
	if err != nil || hello.JSON200 == nil {
		t.Fatalf("hello: %v, %+v", err, hello)
	}
	r.epoch, r.nonce = hello.JSON200.Epoch, hello.JSON200.Nonce
	begun, err := c.BeginSnapshotWithResponse(ctx, r.beginMessage())
	if err != nil || begun.JSON201 == nil {
		t.Fatalf("begin: %v, %+v", err, begun)
	}
	page, err := c.PutSnapshotPageWithResponse(ctx, begun.JSON201.ID, 0, r.page(0, 10))
	if err != nil || page.StatusCode() != http.StatusNoContent {
		t.Fatalf("page: %v, %s", err, page.Body)
	}
	commit, err := c.CommitSnapshotWithResponse(ctx, begun.JSON201.ID, wire.SnapshotCommit{Epoch: r.epoch, Digest: wireDigest(r.digest())})
	if err != nil || commit.StatusCode() != http.StatusNoContent {
		t.Fatalf("commit: %v, %s", err, commit.Body)
	}
	a.same(r)
	r.applied = r.seq
	r.run(1, acme, cloud.InstanceStopped)
	synced, err := c.SyncWithResponse(ctx, r.delta(r.applied))
	if err != nil || synced.JSON200 == nil || synced.JSON200.Outcome != wire.SyncAnswerOutcomeApplied {
		t.Fatalf("sync: %v, %s", err, synced.Body)
	}
	a.same(r)
}

func TestBodiesAreDigestedByteForByte(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	r := newSite(a.stand, west)
	r.hello()
	key := instanceKey(1)
	// With white space, escapes, a number in its own form, and what is unknown.
	body := `{ "source" : "engine",  "organization_id":"` + string(acme) + `", "project_id":"` + string(project) +
		`","state":"running","name":"\u003c<é\u00e9","x":1.50e+1 }`
	r.seq = 1
	r.objects[key] = cloud.Object{ObjectKey: key, Rev: 1, Body: []byte(body)}
	r.ever[key] = true
	message := `{"epoch":` + fmt.Sprint(r.epoch) + `,"from":0,"to":1,"nonce":"` + r.nonce + `","sources":[{"name":"engine","age_ms":0}],` +
		`"tombstones":[],"later":true,"upserts":[{"kind":"instance","id":"` + string(key.ID) + `","rev":1,"body":` + body + `}]}`
	if status, _, refusal := a.do(http.MethodPost, federation.BasePath+"/sync", []byte(message)); status != http.StatusOK {
		t.Fatalf("answered with %d %q", status, refusal.Message)
	}
	a.same(r)
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	right := "Bearer " + credentialOf(west).Reveal()
	paths := map[string]string{
		"/hello": http.MethodPost, "/sync": http.MethodPost, "/audit": http.MethodPost, "/snapshots": http.MethodPost,
		"/snapshots/x/pages/0": http.MethodPut, "/snapshots/x/pages/zero": http.MethodPut, "/snapshots/x/commit": http.MethodPost,
	}
	for path, method := range paths {
		var first string
		for _, header := range []string{"", "Bearer", "Bearer ", "Bearer nobody", "Basic " + credentialOf(west).Reveal(), credentialOf(west).Reveal(), right + "x", right + " x"} {
			status, headers, refusal := a.do(method, federation.BasePath+path, []byte("{not even JSON"), "Authorization", header)
			if status != http.StatusUnauthorized || !strings.HasPrefix(headers.Get("WWW-Authenticate"), "Bearer") {
				t.Errorf("%s with %q: %d, WWW-Authenticate %q", path, header, status, headers.Get("WWW-Authenticate"))
			}
			if first == "" {
				first = refusal.Message
			}
			if refusal.Message != first {
				t.Errorf("%s with %q says more than that it is not valid: %q", path, header, refusal.Message)
			}
		}
		if status, _, _ := a.do(method, federation.BasePath+path, []byte("{not even JSON"), "Authorization", right); status != http.StatusBadRequest {
			t.Errorf("%s with the credential and a broken body: %d, want 400", path, status)
		}
		if status, _, _ := a.do(method, federation.BasePath+path, []byte("{not even JSON"), "Authorization", strings.ToLower(right[:6])+right[6:]); status != http.StatusBadRequest {
			t.Errorf("%s with a lower-case scheme: %d, want 400", path, status)
		}
	}
	if l := a.link(west); l.Epoch != 0 {
		t.Errorf("something was granted: %+v", l)
	}
}

func TestACredentialOpensItsOwnRegionOnly(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	r := newSite(a.stand, east)
	if resp, err := a.client(credentialOf(east)).HelloWithResponse(t.Context(), r.helloMessage()); err != nil || resp.JSON200 == nil {
		t.Fatalf("hello: %v, %+v", err, resp)
	}
	if a.link(east).Epoch == 0 || a.link(west).Epoch != 0 {
		t.Errorf("east's hello moved the links to %+v, %+v", a.link(east), a.link(west))
	}
}

func TestBrokenMessages(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	sync := federation.BasePath + "/sync"
	for body, says := range map[string]string{
		"":                            "must be a JSON object",
		"   ":                         "must be a JSON object",
		"null":                        "must be a JSON object",
		"[]":                          "must be a JSON object",
		"{":                           "not JSON",
		"{} {}":                       "not JSON",
		`{"epoch":1,}`:                "not JSON",
		`{"epoch":"1"}`:               "epoch must not be a JSON string",
		`{"epoch":-1}`:                "epoch must not be a JSON number -1",
		`{"epoch":1.5}`:               "epoch must not be a JSON number 1.5",
		`{"epoch":1e30}`:              "epoch must not be a JSON number 1e30",
		`{"sources":{}}`:              "sources must not be a JSON object",
		`{"upserts":[{"kind":7}]}`:    "upserts.kind must not be a JSON number",
		`{"epoch":1,"nonce":["no"]}`:  "nonce must not be a JSON array",
		`{"epoch":1,"from":2,"to":1}`: "from must not be after to",
	} {
		status, _, refusal := a.do(http.MethodPost, sync, []byte(body))
		if status != http.StatusBadRequest || !strings.Contains(refusal.Message, says) || refusal.Code != nil {
			t.Errorf("%s: answered with %d %q, want 400 with %q", body, status, refusal.Message, says)
		}
	}
	// Of a thousand objects, which one.
	r := joined(a.stand, west)
	r.hello()
	wrong := r.heartbeat()
	wrong.To++
	wrong.Upserts = []wire.Object{{Kind: wire.KindInstance, ID: string(instanceKey(7).ID), Rev: wrong.To, Body: json.RawMessage(`{"state":"resting"}`)}}
	body, err := json.Marshal(wrong)
	if err != nil {
		t.Fatal(err)
	}
	if status, _, refusal := a.do(http.MethodPost, sync, body); status != http.StatusBadRequest || !strings.Contains(refusal.Message, "instance "+string(instanceKey(7).ID)+": ") {
		t.Errorf("a wrong object: %d %q, want 400 that names it", status, refusal.Message)
	}
	status, _, refusal := a.do(http.MethodPost, sync, []byte(`{"x":"`+strings.Repeat("x", federation.MaxMessage)+`"}`))
	if status != http.StatusRequestEntityTooLarge || !strings.Contains(refusal.Message, "4194304") {
		t.Errorf("a message over its bound: %d %q", status, refusal.Message)
	}
	for path, says := range map[string]string{
		"/snapshots/x/pages/one":                  "number in the path",
		"/snapshots/x/pages/99999999999999999999": "number in the path",
		"/snapshots/x/pages/0":                    "epoch 0 was never granted",
	} {
		if status, _, refusal := a.do(http.MethodPut, federation.BasePath+path, []byte("{}")); status != http.StatusBadRequest || !strings.Contains(refusal.Message, says) {
			t.Errorf("%s: %d %q, want 400 with %q", path, status, refusal.Message, says)
		}
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	r := joined(a.stand, west)
	r.hello()
	old := r.heartbeat()
	r.hello()
	encode := func(m any) []byte {
		body, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	id := r.begin()
	commit := wire.SnapshotCommit{Epoch: r.epoch, Digest: wireDigest(r.digest())}
	huge := r.page(0, 1)
	huge.Upserts[0].Body = json.RawMessage(`{"x":"` + strings.Repeat("x", cloud.MaxObjectBody) + `"}`)
	for _, tt := range []struct {
		name, method, path string
		message            any
		status             int
		code               wire.ErrorCode
	}{
		{"fenced", http.MethodPost, "/sync", old, http.StatusConflict, wire.ErrorCodeFenced},
		{"an object over its bound", http.MethodPut, "/snapshots/" + string(id) + "/pages/0", huge, http.StatusRequestEntityTooLarge, ""},
		{"a mismatch", http.MethodPost, "/snapshots/" + string(id) + "/commit", commit, http.StatusConflict, wire.ErrorCodeMismatch},
		{"no such snapshot", http.MethodPost, "/snapshots/" + string(id) + "/commit", commit, http.StatusNotFound, ""},
	} {
		status, _, refusal := a.do(tt.method, federation.BasePath+tt.path, encode(tt.message))
		var code wire.ErrorCode
		if refusal.Code != nil {
			code = *refusal.Code
		}
		if status != tt.status || code != tt.code {
			t.Errorf("%s: answered with %d %q, want %d %q", tt.name, status, code, tt.status, tt.code)
		}
	}
}

// TestWrongInput: whoever sends something wrong is told what, and nothing of it
// is applied.
func TestWrongInput(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	r, other := joined(a.stand, west), joined(a.stand, east)
	r.run(0, acme, cloud.InstanceStopped)
	sync := func(mend func(*wire.SyncRequest)) wire.SyncRequest {
		m := r.delta(r.applied)
		mend(&m)
		return m
	}
	upserts := func(mend func(*wire.Object)) wire.SyncRequest {
		return sync(func(m *wire.SyncRequest) { mend(&m.Upserts[0]) })
	}
	replace := func(o *wire.Object, old, to string) {
		o.Body = json.RawMessage(strings.Replace(string(o.Body), old, to, 1))
	}
	hello := r.helloMessage()
	elsewhere := east
	hello.Region = &elsewhere
	id := r.begin()
	page := func(number int, mend func(*wire.SnapshotPage)) (string, wire.SnapshotPage) {
		m := r.page(0, 2)
		mend(&m)
		return fmt.Sprintf("/snapshots/%s/pages/%d", id, number), m
	}
	ahead, aheadPage := page(1, func(*wire.SnapshotPage) {})
	first, twicePage := page(0, func(m *wire.SnapshotPage) { m.Upserts = append(m.Upserts, m.Upserts[0]) })
	_, newPage := page(0, func(m *wire.SnapshotPage) { m.Upserts[0].Rev = r.seq + 1 })
	commit := "/snapshots/" + string(id) + "/commit"
	strange := "/snapshots/" + string(a.newID()) + "/commit"

	before := []cloud.Link{a.link(west), a.link(east)}
	copied := a.stored(west, instanceKey(0))
	for _, tt := range []struct {
		name, method, path string
		message            any
		credential         string
		status             int
		says               string
	}{
		{"another region's name", http.MethodPost, "/hello", hello, "", 403, "this is the credential of region west-1, not of east-1"},
		{"another region's credential", http.MethodPost, "/sync", sync(func(m *wire.SyncRequest) { m.Nonce = other.nonce }), "", 400, "nonce is not one that was issued to this region"},
		{"another region's message", http.MethodPost, "/sync", other.heartbeat(), "", 400, "nonce is not one"},
		{"another region's page", http.MethodPut, first, twicePage, credentialOf(east).Reveal(), 400, "once in a message"},
		{"another region's commit", http.MethodPost, commit, wire.SnapshotCommit{Epoch: other.epoch, Digest: wireDigest(r.digest())}, credentialOf(east).Reveal(), 404, "no such snapshot"},
		{"an API token", http.MethodPost, "/sync", r.heartbeat(), "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl", 401, "credential of a region"},
		{"no credential", http.MethodPost, "/sync", r.heartbeat(), " ", 401, "credential of a region"},
		{"a seq backwards", http.MethodPost, "/sync", sync(func(m *wire.SyncRequest) { m.From = m.To + 1 }), "", 400, "from must not be after to"},
		{"a seq beyond all", http.MethodPost, "/sync", sync(func(m *wire.SyncRequest) { seq := uint64(1 << 63); m.Seq = &seq }), "", 400, "below 2^63"},
		{"a snapshot at an old seq", http.MethodPost, "/snapshots", wire.SnapshotRequest{Epoch: r.epoch, Incarnation: string(r.incarnation), Seq: 1}, "", 400, "seq 1 is behind"},
		{"a rev out of its message", http.MethodPost, "/sync", upserts(func(o *wire.Object) { o.Rev = 1 }), "", 400, "rev must be over"},
		{"an epoch never granted", http.MethodPost, "/sync", sync(func(m *wire.SyncRequest) { m.Epoch++ }), "", 400, "was never granted"},
		{"an unknown kind", http.MethodPost, "/sync", upserts(func(o *wire.Object) { o.Kind = "volume" }), "", 400, "kind must be one of instance, cluster; got \"volume\""},
		{"an unknown state", http.MethodPost, "/sync", upserts(func(o *wire.Object) { replace(o, `"stopped"`, `"melting"`) }), "", 400, `state is not one of the contract's: "melting"`},
		{"an object over its size", http.MethodPost, "/sync", upserts(func(o *wire.Object) {
			replace(o, `"name":`, `"x":"`+strings.Repeat("x", cloud.MaxObjectBody)+`","name":`)
		}), "", 413, "the body must be at most 65536 bytes"},
		{"a page ahead", http.MethodPut, ahead, aheadPage, "", 400, "page 1 is out of order; page 0 is expected next"},
		{"an object twice in a page", http.MethodPut, first, twicePage, "", 400, "once in a message"},
		{"a page newer than its snapshot", http.MethodPut, first, newPage, "", 400, "is over the snapshot's seq"},
		{"a commit of no snapshot", http.MethodPost, strange, wire.SnapshotCommit{Epoch: r.epoch, Digest: wireDigest(cloud.Digest{})}, "", 404, "no such snapshot is under way; begin a new one"},
		{"a commit with half a digest", http.MethodPost, commit, wire.SnapshotCommit{Epoch: r.epoch, Digest: wire.Digest{Sum: "ab"}}, "", 400, "64 hexadecimal digits"},
	} {
		body, err := json.Marshal(tt.message)
		if err != nil {
			t.Fatal(err)
		}
		var headers []string
		if tt.credential != "" {
			headers = []string{"Authorization", "Bearer " + tt.credential}
		}
		status, _, refusal := a.do(tt.method, federation.BasePath+tt.path, body, headers...)
		if status != tt.status || !strings.Contains(refusal.Message, tt.says) {
			t.Errorf("%s: answered with %d %q, want %d with %q", tt.name, status, refusal.Message, tt.status, tt.says)
		}
	}
	if diff := gocmp.Diff(before, []cloud.Link{a.link(west), a.link(east)}); diff != "" {
		t.Errorf("the links changed (-before +after):\n%s", diff)
	}
	if diff := gocmp.Diff(copied, a.stored(west, instanceKey(0))); diff != "" {
		t.Errorf("the copy changed (-before +after):\n%s", diff)
	}
}

// A page that comes twice is applied once, and what comes in two pages adds up
// to a digest that is refused, with nothing removed.
func TestAPageTwice(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	r := joined(a.stand, west)
	c := a.client(credentialOf(west))
	r.bury(instanceKey(3))
	id := string(r.begin())
	put := func(number int, page wire.SnapshotPage) {
		t.Helper()
		resp, err := c.PutSnapshotPageWithResponse(t.Context(), id, number, page)
		if err != nil || resp.StatusCode() != http.StatusNoContent {
			t.Fatalf("page %d: %v, %s", number, err, resp.Body)
		}
	}
	put(0, r.page(0, 3))
	before := a.link(west)
	put(0, r.page(1, 3)) // of that number there was one
	if diff := gocmp.Diff(before, a.link(west)); diff != "" {
		t.Errorf("the link changed (-before +after):\n%s", diff)
	}
	put(1, r.page(0, 3))
	put(2, r.page(1, 3))
	commit := wire.SnapshotCommit{Epoch: r.epoch, Digest: wireDigest(r.digest())}
	resp, err := c.CommitSnapshotWithResponse(t.Context(), id, commit)
	if err != nil || resp.StatusCode() != http.StatusConflict || !strings.Contains(string(resp.Body), "nothing was removed") {
		t.Errorf("the commit is answered with %s, %v", resp.Body, err)
	}
	if got := len(a.stored(west, instanceKey(3))); got != 1 {
		t.Error("what the snapshot lacked is gone")
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, path := range []string{"/", "/federation/v1alpha1", federation.BasePath + "/", federation.BasePath + "/hello/", federation.BasePath + "/goodbye"} {
		if status, _, _ := a.do(http.MethodPost, path, nil); status != http.StatusNotFound {
			t.Errorf("POST %s: %d, want 404", path, status)
		}
	}
	status, headers, _ := a.do(http.MethodGet, federation.BasePath+"/hello", nil)
	if status != http.StatusMethodNotAllowed || headers.Get("Allow") != http.MethodPost {
		t.Errorf("GET /hello: %d, Allow %q", status, headers.Get("Allow"))
	}
}

func TestADatabaseThatIsAwayIs503(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.store.down = cloud.Unavailable(errors.New("disk full at /secret/path"))
	status, headers, refusal := a.do(http.MethodPost, federation.BasePath+"/hello", []byte("{}"))
	if status != http.StatusServiceUnavailable || headers.Get("Retry-After") == "" || strings.Contains(refusal.Message, "disk") {
		t.Errorf("answered with %d %q", status, refusal.Message)
	}
	if !strings.Contains(a.logged.String(), "disk full") {
		t.Error("the log does not say why")
	}
}

func TestInternalErrorsSayNothing(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.store.down = errors.New("constraint objects_pkey violated")
	status, _, refusal := a.do(http.MethodPost, federation.BasePath+"/hello", []byte("{}"))
	want := wire.Error{Message: "internal error"}
	if diff := gocmp.Diff(want, refusal); status != http.StatusInternalServerError || diff != "" {
		t.Errorf("answered with %d (-want +got):\n%s", status, diff)
	}
	if logged := a.logged.String(); !strings.Contains(logged, "objects_pkey") {
		t.Errorf("the log does not say what happened: %s", logged)
	}
}

func TestNothingSecretIsLogged(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	r := newSite(a.stand, west)
	c := a.client(credentialOf(west))
	hello, err := c.HelloWithResponse(t.Context(), r.helloMessage())
	if err != nil || hello.JSON200 == nil {
		t.Fatalf("hello: %v", err)
	}
	r.epoch, r.nonce = hello.JSON200.Epoch, hello.JSON200.Nonce
	m := r.heartbeat()
	m.From, m.To = 5, 5
	if _, err := c.SyncWithResponse(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	a.store.down = errors.New("broken")
	if _, err := c.SyncWithResponse(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	for what, secret := range map[string]string{"credential": credentialOf(west).Reveal(), "hash": string(credentialOf(west).Hash()), "nonce": r.nonce} {
		if strings.Contains(a.logged.String(), secret) {
			t.Errorf("the %s is in the log: %s", what, a.logged)
		}
	}
	if a.logged.String() == "" {
		t.Error("nothing is logged at all")
	}
}

func TestTheRequestIDOfWhatStandsAroundIsKept(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := newSite(s, west)
	body, err := json.Marshal(r.helloMessage())
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, federation.BasePath+"/hello", bytes.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+credentialOf(west).Reveal())
	req.RemoteAddr = "[2001:db8::7]:4711"
	w := httptest.NewRecorder()
	w.Header().Set("X-Request-ID", "given")
	serverOf(t, s).ServeHTTP(w, req)
	entries := s.audited()
	if len(entries) != 1 {
		t.Fatalf("there are %d audit entries: %s", len(entries), w.Body)
	}
	want := cloud.Origin{RequestID: "given", Address: "2001:db8::7"}
	if diff := gocmp.Diff(want, entries[0].Origin); diff != "" {
		t.Errorf("the audit's origin (-want +got):\n%s", diff)
	}
}
