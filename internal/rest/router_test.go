package rest

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const thingsAPI = `
openapi: 3.0.3
info: {title: Things, version: v1}
servers: [{url: /api/v1}]
paths:
  /things:
    get:
      operationId: ListThings
      parameters:
        - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 100}}
        - {name: depth, in: query, schema: {type: integer, minimum: 2}}
        - {name: breadth, in: query, schema: {type: integer, maximum: 9}}
        - {name: color, in: query, schema: {type: string, enum: [red, blue]}}
        - {name: X-Project, in: header, schema: {type: string, format: uuid}}
        - {name: X-Key, in: header, schema: {type: string, minLength: 3, maxLength: 5}}
        - {name: X-Long, in: header, schema: {type: string, minLength: 3}}
        - {name: sort, in: query, required: true, schema: {type: string}}
      responses: {'200': {description: Things.}}
    post:
      operationId: CreateThing
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              required: [name]
              properties:
                name: {type: string, minLength: 1, maxLength: 10}
                size: {type: integer, minimum: 1, maximum: 9}
                color: {type: string, enum: [red, blue]}
                born: {type: string, format: date-time}
                serial: {type: string, readOnly: true}
                parts: {type: object, properties: {wheel: {type: boolean}}}
      responses: {'201': {description: A thing.}}
  /things/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: string, format: uuid}}
    delete:
      operationId: DeleteThing
      responses: {'204': {description: Gone.}}
`

// served is a router for thingsAPI whose handlers answer what they got.
func served(t *testing.T, wrap ...Middleware) *Router {
	t.Helper()
	document, err := LoadDocument([]byte(thingsAPI))
	if err != nil {
		t.Fatal(err)
	}
	errs := Errors{Log: slog.New(slog.DiscardHandler)}
	rt := NewRouter(document, append(wrap, document.Validate(errs, 512))...)
	for _, op := range document.Operations() {
		rt.HandleFunc(op.Pattern(), func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Errorf("%s: %v", op.ID, err)
			}
			_, _ = io.WriteString(w, op.ID+" "+r.PathValue("id")+string(body))
		})
	}
	return rt
}

func ask(h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestRouter(t *testing.T) {
	t.Parallel()
	rt := served(t)
	const id = "019cae00-0000-7000-8000-000000000001"
	for _, c := range []struct {
		method, target string
		status         int
		allow, says    string
	}{
		{"GET", "/api/v1/things?sort=id", 200, "", "ListThings "},
		{"HEAD", "/api/v1/things?sort=id", 200, "", "ListThings "},
		{"DELETE", "/api/v1/things/" + id, 200, "", "DeleteThing " + id},
		{"PUT", "/api/v1/things", 405, "GET, HEAD, POST", "PUT is not possible here; use GET, HEAD, POST"},
		{"OPTIONS", "/api/v1/things", 405, "GET, HEAD, POST", "OPTIONS is not possible here"},
		{"BREW", "/api/v1/things", 405, "GET, HEAD, POST", "BREW is not possible here"},
		{"GET", "/api/v1/things/" + id, 405, "DELETE", "use DELETE"},
		{"GET", "/", 404, "", "no such path"},
		{"GET", "/api/v1", 404, "", "no such path"},
		{"GET", "/api/v1/things/", 404, "", "no such path"},
		{"GET", "/api/v1//things", 404, "", "no such path"},
		{"GET", "/api/v1/./things", 404, "", "no such path"},
		{"GET", "/api/v1/x/../things", 404, "", "no such path"},
		{"GET", "/api/v1/%2e%2e/v1/things", 404, "", "no such path"},
		{"GET", "/API/v1/things", 404, "", "no such path"},
		{"DELETE", "/api/v1/things/" + id + "/", 404, "", "no such path"},
		{"DELETE", "/api/v1/things/" + id + "%2f", 404, "", "no such path"},
		{"DELETE", "/api/v1/things/" + id + "/parts", 404, "", "no such path"},
	} {
		w := ask(rt, c.method, c.target, "")
		if w.Code != c.status || w.Header().Get("Allow") != c.allow || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s %s: got %d, Allow: %s, %s; want %d, Allow: %s, %s",
				c.method, c.target, w.Code, w.Header().Get("Allow"), w.Body, c.status, c.allow, c.says)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s: a browser may guess what this is", c.method, c.target)
		}
	}
}

// TestRouterWrapsInOrder proves that the first middleware is the outermost,
// and is told the operation.
func TestRouterWrapsInOrder(t *testing.T) {
	t.Parallel()
	var order []string
	note := func(name string) Middleware {
		return func(op Operation, next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				order = append(order, name+" "+op.ID)
				next.ServeHTTP(w, r)
			})
		}
	}
	ask(served(t, note("first"), note("second")), "GET", "/api/v1/things?sort=id", "")
	if diff := cmp.Diff([]string{"first ListThings", "second ListThings"}, order); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRouterRefusesWhatIsNotInTheDocument(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("a route that is not documented was taken")
		}
	}()
	served(t).HandleFunc("GET /api/v1/secrets", func(http.ResponseWriter, *http.Request) {})
}

func TestDocumentHasToBeGood(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"garbage":   "\t{",
		"a version": strings.Replace(thingsAPI, "version: v1", "x: y", 1),
		"an enum":   strings.Replace(thingsAPI, "type: boolean", "type: truth", 1),
	} {
		if _, err := LoadDocument([]byte(text)); err == nil {
			t.Errorf("a document was taken that is wrong in %s", name)
		}
	}
}
