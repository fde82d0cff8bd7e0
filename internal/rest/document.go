package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Document is an OpenAPI document with its operations.
type Document struct {
	spec       *openapi3.T
	base       string // the path of the first server
	operations map[string]Operation
}

// Operation is one operation of a document.
type Operation struct {
	ID     string
	Method string
	Path   string // with the server's base path and {parameters}
	route  *routers.Route
	params []string // the names of its path parameters
}

// Requires reports whether the operation has a parameter that must be sent.
func (o Operation) Requires(in, name string) bool {
	p := o.route.Operation.Parameters.GetByInAndName(in, name)
	return p != nil && p.Required
}

// Pattern is the operation as net/http's mux spells it.
func (o Operation) Pattern() string { return o.Method + " " + o.Path }

// readAsWeDo makes validation read "format: uuid" as the domain does, and JSON
// as one value with nothing after it. The library knows both by global names.
var readAsWeDo = sync.OnceFunc(func() {
	openapi3.DefineStringFormatValidator("uuid", openapi3.NewCallbackValidator(func(s string) error {
		_, err := cloud.ParseID(s)
		return err
	}))
	openapi3filter.RegisterBodyDecoder("application/json", decodeJSON)
})

func decodeJSON(body io.Reader, _ http.Header, _ *openapi3.SchemaRef, _ openapi3filter.EncodingFn) (any, error) {
	decoder := json.NewDecoder(body)
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something after the JSON value")
	}
	return value, nil
}

// LoadDocument parses and checks a document.
func LoadDocument(text []byte) (*Document, error) {
	readAsWeDo()
	spec, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, fmt.Errorf("parse the API document: %w", err)
	}
	if err := spec.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("check the API document: %w", err)
	}
	d := &Document{spec: spec, base: strings.TrimSuffix(spec.Servers[0].URL, "/"), operations: map[string]Operation{}}
	for path, item := range spec.Paths.Map() {
		for method, operation := range item.Operations() {
			op := Operation{ID: operation.OperationID, Method: method, Path: d.base + path}
			// Who is calling is found out before; asked too, validation would read the body of a GET.
			operation.Security = openapi3.NewSecurityRequirements()
			op.route = &routers.Route{Spec: spec, Server: spec.Servers[0], Path: path, PathItem: item, Method: method, Operation: operation}
			for _, p := range slices.Concat(item.Parameters, operation.Parameters) {
				if p.Value.In == openapi3.ParameterInPath {
					op.params = append(op.params, p.Value.Name)
				}
			}
			d.operations[op.Pattern()] = op
		}
	}
	return d, nil
}

// Operations lists the document's operations, by path and method.
func (d *Document) Operations() []Operation {
	ops := make([]Operation, 0, len(d.operations))
	for _, op := range d.operations {
		ops = append(ops, op)
	}
	slices.SortFunc(ops, func(a, b Operation) int {
		return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method)
	})
	return ops
}

// CheckActions says which operation asks for no action, if one does.
func (d *Document) CheckActions(actions map[string]cloud.Action) error {
	for _, op := range d.Operations() {
		if _, ok := actions[op.ID]; !ok {
			return fmt.Errorf("operation %s asks for no action", op.ID)
		}
	}
	return nil
}

// Base is the path under which the operations lie.
func (d *Document) Base() string { return d.base }

func (d *Document) pathParams(op Operation, r *http.Request) map[string]string {
	values := make(map[string]string, len(op.params))
	for _, name := range op.params {
		values[name] = r.PathValue(name)
	}
	return values
}
