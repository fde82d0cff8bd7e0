package managementapi_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/managementapi"
	"github.com/penstock-cloud/penstock/internal/rest/resttest"
)

// mayDo are the roles that may do an action, from least to most; none where
// every caller may.
func mayDo(p cloud.Permission) (roles []string) {
	for _, role := range slices.Backward(cloud.Roles) {
		if p.Least != "" && role.Authorize(p.Action) == nil {
			roles = append(roles, string(role))
		}
	}
	return roles
}

// permissionTable prints the tables in the code as the documentation has them.
func permissionTable() string {
	var out strings.Builder
	fmt.Fprintln(&out, "| to | with | everyone | viewer | editor | admin |\n|---|---|---|---|---|---|")
	for _, p := range cloud.Permissions() {
		var operations []string
		for operation, action := range managementapi.Actions() {
			if action == p.Action {
				operations = append(operations, operation)
			}
		}
		slices.Sort(operations)
		roles, cells := mayDo(p), ""
		for _, column := range []string{"everyone", "viewer", "editor", "admin"} {
			if len(roles) == 0 || slices.Contains(roles, column) {
				cells += " yes |"
			} else {
				cells += " |"
			}
		}
		fmt.Fprintf(&out, "| %s | %s |%s\n", p.Action, or(strings.Join(operations, ", "), "what regions offer"), cells)
	}
	return out.String()
}

// TestPermissionsAreDocumented holds the documentation to the code's tables;
// -update writes it.
func TestPermissionsAreDocumented(t *testing.T) {
	t.Parallel()
	file := filepath.Join("..", "..", "docs", "permissions.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var prose, table strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "|") {
			prose.WriteString(line)
			continue
		}
		if table.Len() == 0 {
			prose.WriteString(permissionTable())
		}
		table.WriteString(line)
	}
	if table.Len() == 0 {
		t.Fatalf("%s has no table", file)
	}
	resttest.Golden(t, file, prose.String())
}

// TestOperationsSayWhoMay holds the API document's prose to the same tables.
func TestOperationsSayWhoMay(t *testing.T) {
	t.Parallel()
	document, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	sentences := map[cloud.Action]string{}
	for _, p := range cloud.Permissions() {
		sentences[p.Action] = "Who may: " + or(strings.Join(mayDo(p), ", "), "every caller with a valid token")
	}
	for _, route := range document.Routes {
		want := sentences[managementapi.Actions()[route.Operation.OperationID]]
		_, said, _ := strings.Cut(route.Operation.Description, "Who may: ")
		if said = "Who may: " + said; !strings.HasPrefix(said, want+".") && !strings.HasPrefix(said, want+", for") {
			t.Errorf("%s says %q; want %q", route.Operation.OperationID, strings.TrimSpace(said), want)
		}
	}
}
