package managementapi_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/penstock-cloud/penstock/internal/managementapi"
)

// answersSecrets are the operations whose answers are not kept for whoever sends
// the request again.
var answersSecrets = map[string]bool{"CreateServiceAccountSecret": true, "CreatePersonalToken": true}

// TestDocumentSaysAllThatCanHappen derives from what an operation is which
// statuses, parameters and headers it has to document. (That the answers are
// as documented is checked wherever a test gets one.)
func TestDocumentSaysAllThatCanHappen(t *testing.T) {
	t.Parallel()
	document, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	_, lists := reads(t)
	for _, route := range document.Routes {
		op := route.Operation
		statuses := []int{http.StatusUnauthorized, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable}
		var parameters, headers []string
		switch {
		case managementapi.Named()[op.OperationID]:
			statuses = append(statuses, http.StatusForbidden)
		case managementapi.Actions()[op.OperationID].NeedsOrganization():
			statuses = append(statuses, http.StatusBadRequest, http.StatusForbidden)
			parameters = append(parameters, "header X-ORG-ID")
		}
		if strings.Contains(route.Path, "{") {
			statuses = append(statuses, http.StatusNotFound)
		}
		if op.RequestBody != nil {
			statuses = append(statuses, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusConflict)
		}
		switch route.Method {
		case http.MethodGet:
			statuses = append(statuses, http.StatusOK, http.StatusNotModified)
			parameters = append(parameters, "header If-None-Match")
			headers = append(headers, "ETag", "Cache-Control", "Vary")
		case http.MethodPost:
			if unkept := op.Parameters.GetByInAndName("header", "Idempotency-Key") == nil; unkept != answersSecrets[op.OperationID] {
				t.Errorf("%s takes no Idempotency-Key: %v; want %v", op.OperationID, unkept, answersSecrets[op.OperationID])
			}
		case http.MethodDelete:
			statuses = append(statuses, http.StatusNoContent)
		}
		if _, ok := lists[op.OperationID]; ok {
			statuses = append(statuses, http.StatusBadRequest)
			parameters = append(parameters, "query limit", "query cursor")
			headers = append(headers, "Link")
		}
		for _, status := range statuses {
			if op.Responses.Status(status) == nil {
				t.Errorf("%s does not document %d", op.OperationID, status)
			}
		}
		for _, parameter := range parameters {
			in, name, _ := strings.Cut(parameter, " ")
			if op.Parameters.GetByInAndName(in, name) == nil {
				t.Errorf("%s does not document the %s", op.OperationID, parameter)
			}
		}
		checkResponses(t, op, headers)
	}
}

func checkResponses(t *testing.T, op *openapi3.Operation, headers []string) {
	t.Helper()
	for code, response := range op.Responses.Map() {
		status, err := strconv.Atoi(code)
		if err != nil {
			t.Errorf("%s has a response for %s", op.OperationID, code)
		}
		content := response.Value.Content.Get("application/json")
		switch {
		case slices.Contains([]int{http.StatusNoContent, http.StatusNotModified}, status):
			if content != nil {
				t.Errorf("%s: %d has a body", op.OperationID, status)
			}
		case content == nil || content.Schema == nil:
			t.Errorf("%s: %d has no body", op.OperationID, status)
		case status >= http.StatusBadRequest && content.Schema.Ref != "#/components/schemas/Error":
			t.Errorf("%s: %d is no Error", op.OperationID, status)
		}
		for _, name := range headers {
			if status == http.StatusOK && response.Value.Headers[name] == nil {
				t.Errorf("%s: %d has no %s", op.OperationID, status, name)
			}
		}
		for name, of := range map[string]int{"WWW-Authenticate": http.StatusUnauthorized, "Retry-After": http.StatusServiceUnavailable} {
			if status == of && response.Value.Headers[name] == nil {
				t.Errorf("%s: %d has no %s", op.OperationID, status, name)
			}
		}
	}
}
