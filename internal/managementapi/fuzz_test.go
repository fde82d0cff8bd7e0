package managementapi_test

import (
	"bufio"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fuzzed is a request as its sender wrote it; "" leaves a header out.
type fuzzed struct {
	who                                            uint8 // one of callers
	method, target                                 string
	organization, project, idempotencyKey, version string
	authorization, encoding, contentType           string // authorization "" is the caller's own
	body                                           string
}

// everybody are all who call, in no particular order.
var everybody = []string{anonymous, badToken, viewer, editor, admin, guest, stranger, loner, several, bound}

func (in fuzzed) caller() string { return everybody[int(in.who)%len(everybody)] }

// parse reads the request as a server reads it from its connection.
func (in fuzzed) parse(token string) (*http.Request, error) {
	if in.authorization == "" && token != "" {
		in.authorization = "Bearer " + token
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s%s HTTP/1.1\r\nHost: plane.example.com\r\nContent-Length: %d\r\n", in.method, base, in.target, len(in.body))
	for name, value := range map[string]string{
		"Authorization": in.authorization, "X-ORG-ID": in.organization, "X-PROJECT-ID": in.project, "Idempotency-Key": in.idempotencyKey,
		"If-None-Match": in.version, "Accept-Encoding": in.encoding, "Content-Type": in.contentType,
	} {
		if value != "" {
			fmt.Fprintf(&text, "%s: %s\r\n", name, value)
		}
	}
	text.WriteString("\r\n" + in.body)
	return http.ReadRequest(bufio.NewReader(strings.NewReader(text.String())))
}

func seeds() []fuzzed {
	var all []fuzzed
	for _, request := range examples {
		for who := range everybody {
			all = append(all, fuzzed{who: uint8(who), method: request.method, target: request.path, contentType: "application/json", body: request.body})
		}
	}
	asAdmin := uint8(slices.Index(everybody, admin))
	return append(all,
		fuzzed{method: "OPTIONS", target: "/regions", who: asAdmin},
		fuzzed{method: "HEAD", target: "/instances?limit=2&cursor=AA", who: asAdmin, encoding: "gzip;q=0.5, *;q=0", version: `W/"x", *`},
		fuzzed{method: "GET", target: "/instances?limit=1000", who: asAdmin, organization: strings.ToUpper(acme), project: training, encoding: "gzip"},
		fuzzed{method: "GET", target: "/clusters?limit=%31&limit=2;&cursor=", who: asAdmin, organization: globex, project: "x"},
		fuzzed{method: "GET", target: "/user/keys?cursor=" + strings.Repeat("A", 513), who: asAdmin},
		fuzzed{method: "GET", target: "/members?cursor=gICA&limit=1", who: asAdmin},
		fuzzed{method: "GET", target: "/../regions//", authorization: "Bearer a.b.c"},
		fuzzed{method: "GET", target: "/instances/%2e%2e%2f%00%ff", authorization: "bearer  "},
		fuzzed{method: "DELETE", target: "/user/keys/%F0%9F%94%91%00", who: asAdmin},
		fuzzed{method: "PATCH", target: memberPath(admin), who: asAdmin, contentType: "application/json; charset=\xff", body: `{"role":"viewer"}`},
		fuzzed{method: "POST", target: "/invitations", who: asAdmin, idempotencyKey: "k\t\xff", contentType: "application/json", body: `{"email":"a@b.c","role":"member"}`},
		fuzzed{method: "POST", target: "/invitations", who: asAdmin, idempotencyKey: "k", contentType: "Application/JSON", body: `{"email":"Tomas@Example.com"}`},
		fuzzed{method: "POST", target: "/invitations", who: asAdmin, contentType: "application/json", body: "{\"email\":\"\\ud800@example.com\\u0000\"}{"},
		fuzzed{method: "POST", target: "/user/keys", who: asAdmin, idempotencyKey: "k", contentType: "application/json", body: newKey("laptop", publicKey("x")+" \u202e")},
		fuzzed{method: "POST", target: "/user/keys", who: asAdmin, contentType: "multipart/form-data; boundary=x", body: "--x\r\n"},
	)
}

// FuzzRequest sends requests of every shape as everybody, and proves of each
// answer that it is as documented and not our fault, and of each refusal that
// it changed nothing.
func FuzzRequest(f *testing.F) {
	for _, in := range seeds() {
		f.Add(in.who, in.method, in.target, in.organization, in.project, in.idempotencyKey, in.version, in.authorization, in.encoding, in.contentType, in.body)
	}
	document, err := theContract()
	if err != nil {
		f.Fatal(err)
	}
	w := newWorld(f)
	before, database := w.dump(), newRewinder(w)
	f.Fuzz(func(t *testing.T, who uint8, method, target, organization, project, idempotencyKey, version, authorization, encoding, contentType, body string) {
		in := fuzzed{who, method, target, organization, project, idempotencyKey, version, authorization, encoding, contentType, body}
		w.t = t
		token := w.tokens[in.caller()]
		request, err := in.parse(token)
		if err != nil {
			return // net/http refuses it
		}
		recorder := httptest.NewRecorder()
		w.handler.ServeHTTP(recorder, request)
		response := recorder.Result()
		response.Request = request
		if response.StatusCode >= http.StatusInternalServerError {
			t.Errorf("%d %s\n%s", response.StatusCode, recorder.Body, w.logged())
		}
		if err := document.Check(request, response, recorder.Body.Bytes()); err != nil {
			t.Errorf("%d is not as documented: %v", response.StatusCode, err)
		}
		if token != "" && strings.Contains(w.logged()+recorder.Body.String(), token) {
			t.Errorf("the token is in the log or in the answer:\n%s\n%s", w.logged(), recorder.Body)
		}
		w.log.Reset()
		if !database.changed() {
			return
		}
		if changes := response.StatusCode < 300 && request.Method != http.MethodGet && request.Method != http.MethodHead; !changes {
			if diff := cmp.Diff(withoutOutcomes(before), withoutOutcomes(w.dump())); diff != "" {
				t.Errorf("%d, and yet it changed the database:\n%s", response.StatusCode, diff)
			}
		}
		database.rewind()
	})
}

// rewinder puts a world's database back to what it was in the beginning, and
// knows whether there is reason to.
type rewinder struct {
	w       *world
	db      *sql.DB
	version int64
}

func newRewinder(w *world) *rewinder {
	w.t.Helper()
	made, err := theCast()
	if err != nil {
		w.t.Fatal(err)
	}
	original := filepath.Join(w.t.TempDir(), "original.db")
	if err := os.WriteFile(original, made.database, 0o600); err != nil {
		w.t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+w.file+"?_pragma=synchronous(off)&_pragma=foreign_keys(off)")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1) // what is attached, and data_version, are a connection's own
	r := &rewinder{w: w, db: db}
	r.exec("ATTACH 'file:" + original + "?mode=ro' AS original")
	r.changed()
	return r
}

// changed reports whether anybody else has committed since it was asked last.
func (r *rewinder) changed() bool {
	r.w.t.Helper()
	before := r.version
	if err := r.db.QueryRow("PRAGMA data_version").Scan(&r.version); err != nil {
		r.w.t.Fatal(err)
	}
	return r.version != before
}

func (r *rewinder) rewind() {
	r.w.t.Helper()
	var all strings.Builder
	for _, table := range r.w.dumper.tables {
		fmt.Fprintf(&all, "DELETE FROM main.%[1]s; INSERT INTO main.%[1]s SELECT * FROM original.%[1]s;", table)
	}
	r.exec("BEGIN IMMEDIATE; " + all.String() + " COMMIT")
}

func (r *rewinder) exec(text string) {
	r.w.t.Helper()
	if _, err := r.db.Exec(text); err != nil {
		r.w.t.Fatal(err)
	}
}
