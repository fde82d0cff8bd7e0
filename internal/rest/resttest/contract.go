package resttest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/penstock-cloud/penstock/internal/observe"
	"github.com/penstock-cloud/penstock/internal/rest"
)

// Contract is a document as the tests read it: by itself, and more strictly
// than it is written, in that an answer has no fields beyond those named.
type Contract struct {
	Routes map[string]*routers.Route // by mux pattern
	mux    *http.ServeMux
}

// LoadContract reads a document.
func LoadContract(document []byte) (*Contract, error) {
	if _, err := rest.LoadDocument(document); err != nil { // defines the formats
		return nil, err
	}
	spec, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		return nil, err
	}
	for _, schema := range spec.Components.Schemas {
		if extra := &schema.Value.AdditionalProperties; schema.Value.Type.Is("object") && extra.Has == nil && extra.Schema == nil {
			extra.Has = new(bool)
		}
	}
	c := &Contract{mux: http.NewServeMux(), Routes: map[string]*routers.Route{}}
	for at, item := range spec.Paths.Map() {
		for method, operation := range item.Operations() {
			pattern := method + " " + spec.Servers[0].URL + at
			c.mux.Handle(pattern, http.NotFoundHandler())
			c.Routes[pattern] = &routers.Route{Spec: spec, Server: spec.Servers[0], Path: at, PathItem: item, Method: method, Operation: operation}
		}
	}
	return c, nil
}

// Check holds an answer against the document; nil if it is as documented.
func (c *Contract) Check(request *http.Request, response *http.Response, body []byte) error {
	text, err := Plain(response.Header, body)
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
	route := c.Routes[pattern]
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
		return errors.New("X-Content-Type-Options is missing")
	case response.Request.Method != http.MethodHead && !IsMessage(body):
		return fmt.Errorf("an error with the body %q", body)
	}
	return nil
}

// longestMessage bounds, in bytes, what anybody is given to read. The longest
// one lists a caller's organizations.
const longestMessage = 1 << 10

// IsMessage reports whether a body is {"message": …} and nothing else, and fit
// to be read.
func IsMessage(body []byte) bool {
	var e map[string]string
	return len(body) <= longestMessage && utf8.Valid(body) && json.Unmarshal(body, &e) == nil && len(e) == 1 && e["message"] != ""
}

// Plain is a body without its gzip.
func Plain(header http.Header, body []byte) ([]byte, error) {
	if header.Get("Content-Encoding") != "gzip" {
		return body, nil
	}
	zr, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(zr)
}
