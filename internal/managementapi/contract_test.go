package managementapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path"
	"slices"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/api"
	"github.com/penstock-cloud/penstock/internal/observe"
	"github.com/penstock-cloud/penstock/internal/rest"
)

// contract is the document as the tests read it: by itself, and more strictly
// than it is written, in that an answer has no fields beyond those named.
type contract struct {
	mux    *http.ServeMux
	routes map[string]*routers.Route // by mux pattern
}

var theContract = sync.OnceValues(loadContract)

func loadContract() (contract, error) {
	c := contract{mux: http.NewServeMux(), routes: map[string]*routers.Route{}}
	if _, err := rest.LoadDocument(api.Management); err != nil { // defines the formats
		return c, err
	}
	spec, err := openapi3.NewLoader().LoadFromData(api.Management)
	if err != nil {
		return c, err
	}
	for _, schema := range spec.Components.Schemas {
		if extra := &schema.Value.AdditionalProperties; schema.Value.Type.Is("object") && extra.Has == nil && extra.Schema == nil {
			extra.Has = new(bool)
		}
	}
	for at, item := range spec.Paths.Map() {
		for method, operation := range item.Operations() {
			pattern := method + " " + spec.Servers[0].URL + at
			c.mux.Handle(pattern, http.NotFoundHandler())
			c.routes[pattern] = &routers.Route{Spec: spec, Server: spec.Servers[0], Path: at, PathItem: item, Method: method, Operation: operation}
		}
	}
	return c, nil
}

// check holds an answer against the document.
func (c contract) check(request *http.Request, response *http.Response, body []byte) error {
	text, err := plain(response.Header, body)
	if err != nil {
		return err
	}
	if response.Header.Get(observe.RequestIDHeader) == "" {
		return fmt.Errorf("the header %s is missing", observe.RequestIDHeader)
	}
	_, pattern := c.mux.Handler(request)
	if pattern == "" || path.Clean(request.URL.Path) != request.URL.Path { // for which the mux has a redirect
		return checkError(response, text)
	}
	route := c.routes[pattern]
	if route.Operation.Responses.Status(response.StatusCode) == nil {
		return fmt.Errorf("status %d is not documented for %s", response.StatusCode, route.Operation.OperationID)
	}
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: request, Route: route},
		Status:                 response.StatusCode,
		Header:                 response.Header,
		Body:                   io.NopCloser(bytes.NewReader(text)),
		Options:                &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		return err
	}
	for name := range route.Operation.Responses.Status(response.StatusCode).Value.Headers {
		if name != "Link" && response.Header.Get(name) == "" { // the last page has none
			return fmt.Errorf("the header %s is missing", name)
		}
	}
	switch {
	case response.StatusCode >= http.StatusBadRequest && request.Method != http.MethodHead:
		return checkError(response, text)
	case response.StatusCode == http.StatusNoContent || response.StatusCode == http.StatusNotModified:
		if len(body) > 0 {
			return fmt.Errorf("a %d has the body %q", response.StatusCode, body)
		}
	}
	return nil
}

// checkError holds for every failure, also of paths that are not documented.
func checkError(response *http.Response, body []byte) error {
	switch {
	case response.StatusCode < http.StatusBadRequest:
		return fmt.Errorf("status %d of a path that is not documented", response.StatusCode)
	case response.Header.Get("Content-Type") != "application/json":
		return fmt.Errorf("an error of type %q", response.Header.Get("Content-Type"))
	case response.Header.Get("X-Content-Type-Options") != "nosniff":
		return fmt.Errorf("X-Content-Type-Options is missing")
	case response.Request.Method != http.MethodHead && !isMessage(body):
		return fmt.Errorf("an error with the body %q", body)
	}
	return nil
}

// longestMessage bounds, in bytes, what anybody is given to read. The longest
// one lists a caller's organizations.
const longestMessage = 1 << 10

// isMessage reports whether a body is {"message": …} and nothing else, and fit
// to be read.
func isMessage(body []byte) bool {
	var e map[string]string
	return len(body) <= longestMessage && utf8.Valid(body) && json.Unmarshal(body, &e) == nil && len(e) == 1 && e["message"] != ""
}

// checked is a transport that holds every answer against the document.
type checked struct {
	t    testing.TB
	next http.RoundTripper
}

func (c checked) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := c.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if err := response.Body.Close(); err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	document, err := theContract()
	if err != nil {
		return nil, err
	}
	if err := document.check(request, response, body); err != nil {
		c.t.Errorf("%s %s: %d is not as documented: %v", request.Method, request.URL.Path, response.StatusCode, err)
	}
	return response, nil
}

// TestRouterServesTheDocument proves that the document and the router have the
// same operations.
func TestRouterServesTheDocument(t *testing.T) {
	t.Parallel()
	document, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for pattern, route := range document.routes {
		documented[pattern] = route.Operation.OperationID
	}
	routed := map[string]string{}
	for pattern, operation := range newWorld(t).api.Routed() {
		routed[pattern] = operation.ID
	}
	if diff := cmp.Diff(documented, routed); diff != "" {
		t.Errorf("the router does not serve what the document says (-document +router):\n%s", diff)
	}
	if len(documented) < 14 {
		t.Errorf("the document has %v only", slices.Sorted(maps.Values(documented)))
	}
}
