package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// MaxBody bounds the body of a request to an API for people, in bytes.
const MaxBody = 1 << 20

// Validate is the middleware that holds each request against the document,
// and bounds its body to limit bytes.
func (d *Document) Validate(errs Errors, limit int64) Middleware {
	options := &openapi3filter.Options{
		ExcludeReadOnlyValidations: true, // read-only fields in a request are ignored
		KeepValidatedValue:         true, // what is bound is what was validated, not "Role" for "role"
	}
	return func(op Operation, next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, limit)
			err := openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{
				Request: r, PathParams: d.pathParams(op, r), Route: op.route, Options: options,
			})
			if err != nil {
				errs.Write(w, r, Explain(err))
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// Explain turns what validation found into a refusal for the caller, in our
// words; errors that are no fault of the request pass through.
func Explain(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) || errors.Is(err, context.Canceled) {
		return err
	}
	var request *openapi3filter.RequestError
	if !errors.As(err, &request) {
		return cloud.Invalid("the request does not fit the API document")
	}
	var schema *openapi3.SchemaError
	switch {
	case request.Parameter != nil && errors.Is(err, openapi3filter.ErrInvalidRequired):
		return cloud.Invalid("%s %s is required", request.Parameter.In, request.Parameter.Name)
	case request.Parameter != nil && errors.As(err, &schema):
		return cloud.Invalid("%s %s: %s", request.Parameter.In, request.Parameter.Name, sentence(schema))
	case request.Parameter != nil:
		return cloud.Invalid("%s %s is not well-formed: %s", request.Parameter.In, request.Parameter.Name, wanted(request.Parameter))
	case errors.As(err, &schema):
		return cloud.Invalid("%s: %s", field(schema), sentence(schema))
	case errors.Is(err, openapi3filter.ErrInvalidRequired):
		return cloud.Invalid("a JSON body is required; see /docs for its fields")
	case strings.Contains(request.Reason, "Content-Type"):
		return cloud.Invalid("send the body as JSON with the header Content-Type: application/json")
	default:
		return cloud.Invalid("the body is not well-formed JSON")
	}
}

func wanted(p *openapi3.Parameter) string {
	if p.Schema != nil && p.Schema.Value != nil && p.Schema.Value.Type != nil {
		return "it must be of type " + strings.Join(p.Schema.Value.Type.Slice(), " or ")
	}
	return "see /docs for its form"
}

func field(e *openapi3.SchemaError) string {
	if at := e.JSONPointer(); len(at) > 0 {
		return strings.Join(at, ".")
	}
	return "the body"
}

// sentence says what a value must be, from the part of the schema that it
// breaks.
func sentence(e *openapi3.SchemaError) string {
	s := e.Schema
	switch e.SchemaField {
	case "enum":
		return fmt.Sprintf("must be one of %s; got %s", listed(s.Enum), shown(e.Value))
	case "type":
		return fmt.Sprintf("must be of type %s; got %s", strings.Join(s.Type.Slice(), " or "), shown(e.Value))
	case "required":
		return "is required"
	case "nullable":
		return "must not be null"
	case "format":
		return fmt.Sprintf("must be a %s; got %s", s.Format, shown(e.Value))
	case "minimum", "maximum":
		return fmt.Sprintf("must be %s; got %s", numberRange(s), shown(e.Value))
	case "minLength", "maxLength":
		return "must have " + lengthRange(s) + " characters"
	default:
		return e.Reason
	}
}

func listed(values []any) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprint(v)
	}
	return strings.Join(texts, ", ")
}

// shown renders a caller's value for a message, bounded.
func shown(value any) string {
	const most = 80
	text, err := json.Marshal(value)
	if err != nil {
		return "something else"
	}
	if len(text) > most {
		text = append(bytes.ToValidUTF8(text[:most], nil), "…"...)
	}
	return string(text)
}

func numberRange(s *openapi3.Schema) string {
	switch {
	case s.Min != nil && s.Max != nil:
		return fmt.Sprintf("%v to %v", *s.Min, *s.Max)
	case s.Min != nil:
		return fmt.Sprintf("at least %v", *s.Min)
	case s.Max != nil:
		return fmt.Sprintf("at most %v", *s.Max)
	}
	return "within its range"
}

func lengthRange(s *openapi3.Schema) string {
	if s.MaxLength == nil {
		return fmt.Sprintf("at least %d", s.MinLength)
	}
	return fmt.Sprintf("%d to %d", s.MinLength, *s.MaxLength)
}
