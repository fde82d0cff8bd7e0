package infrastructureapi_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/infrastructureapi"
)

// TestOperationsSayWhoMay holds the document's prose to the domain's table of
// who may do what.
func TestOperationsSayWhoMay(t *testing.T) {
	t.Parallel()
	document, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	for _, route := range document.Routes {
		action := infrastructureapi.Actions()[route.Operation.OperationID]
		want := "every caller with a valid token. No organization is needed."
		if action.NeedsOrganization() {
			var may []string
			for _, role := range slices.Backward(cloud.Roles) {
				if role.Authorize(action) == nil {
					may = append(may, string(role))
				}
			}
			want = strings.Join(may, ", ") + "."
		}
		if _, said, _ := strings.Cut(route.Operation.Description, "Who may: "); strings.TrimSpace(said) != want {
			t.Errorf("%s says %q; want %q", route.Operation.OperationID, strings.TrimSpace(said), want)
		}
	}
}

// TestOnlyStoppingAndReadingOutlastThePlane holds what the region may still do
// while the plane is away to its few operations.
func TestOnlyStoppingAndReadingOutlastThePlane(t *testing.T) {
	t.Parallel()
	for operation, action := range infrastructureapi.Actions() {
		harmless := strings.HasPrefix(operation, "List") || strings.HasPrefix(operation, "Get") && operation != "GetKubernetesClusterCredentials"
		switch {
		case operation == "StopInstance" && action != cloud.ActionStopFleet,
			harmless && action != cloud.ActionReadFleet && action != cloud.ActionReadCloud,
			operation != "StopInstance" && !harmless && action != cloud.ActionChangeFleet:
			t.Errorf("%s asks for %q", operation, action)
		}
	}
}
