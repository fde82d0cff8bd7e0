package managementapi_test

import (
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/api"
	"github.com/penstock-cloud/penstock/internal/rest/resttest"
)

var theContract = sync.OnceValues(func() (*resttest.Contract, error) { return resttest.LoadContract(api.Management) })

// TestRouterServesTheDocument proves that the document and the router have the
// same operations.
func TestRouterServesTheDocument(t *testing.T) {
	t.Parallel()
	document, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for pattern, route := range document.Routes {
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
