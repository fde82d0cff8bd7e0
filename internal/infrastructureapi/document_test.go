package infrastructureapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/infrastructureapi"
)

// facts are what existing clients rely on: the operation, its method and path,
// whether X-PROJECT-ID is required (P), the status of success and the others
// that are particular to it. The names of the last two are ours.
const facts = `
ListCapabilities GET /capabilities - 200
ListCapacity GET /capacity P 200
ListInstanceTypes GET /instance-types - 200
ListProjects GET /projects - 200
CreateProject POST /projects - 201 400
GetProject GET /projects/{id} - 200 404
DeleteProject DELETE /projects/{id} - 204 404
ListInstances GET /instances P 200 404
CreateInstance POST /instances P 201 400 404
GetInstance GET /instances/{id} P 200 404
DeleteInstance DELETE /instances/{id} P 204 404
StartInstance POST /instances/{id}/actions/start P 202 400 404 409
StopInstance POST /instances/{id}/actions/stop P 202 400 404 409
ListFilesystems GET /filesystems P 200
CreateFilesystem POST /filesystems P 201 400
GetFilesystem GET /filesystems/{id} P 200 404
DeleteFilesystem DELETE /filesystems/{id} P 204 404
ListKubernetesClusters GET /kubernetes/clusters P 200
CreateKubernetesCluster POST /kubernetes/clusters P 201 400 409
GetKubernetesCluster GET /kubernetes/clusters/{id} P 200 404
DeleteKubernetesCluster DELETE /kubernetes/clusters/{id} P 204 404
ListKubernetesNodePools GET /kubernetes/clusters/{cluster_id}/node-pools P 200 404
CreateKubernetesNodePool POST /kubernetes/clusters/{cluster_id}/node-pools P 201 400 404 409
GetKubernetesNodePool GET /kubernetes/clusters/{cluster_id}/node-pools/{node_pool_id} P 200 404
DeleteKubernetesNodePool DELETE /kubernetes/clusters/{cluster_id}/node-pools/{node_pool_id} P 204 404 409
GetKubernetesClusterCredentials GET /kubernetes/clusters/{cluster_id}/credentials P 200 404
ListSlurmClusters GET /slurm/clusters P 200
CreateSlurmCluster POST /slurm/clusters P 201 400
GetSlurmCluster GET /slurm/clusters/{id} P 200 404
DeleteSlurmCluster DELETE /slurm/clusters/{id} P 204 404
ListSlurmNodePools GET /slurm/clusters/{cluster_id}/node-pools P 200 404
CreateSlurmNodePool POST /slurm/clusters/{cluster_id}/node-pools P 201 400 404 409
GetSlurmNodePool GET /slurm/clusters/{cluster_id}/node-pools/{node_pool_id} P 200 404
DeleteSlurmNodePool DELETE /slurm/clusters/{cluster_id}/node-pools/{node_pool_id} P 204 404 409
ListAllKubernetesNodePools GET /kubernetes/node-pools P 200
ListAllSlurmNodePools GET /slurm/node-pools P 200
`

// TestDocumentHasTheFacts holds the document against what clients rely on.
func TestDocumentHasTheFacts(t *testing.T) {
	t.Parallel()
	document, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, route := range document.Routes {
		got = append(got, route.Operation.OperationID)
	}
	for line := range strings.Lines(strings.TrimSpace(facts)) {
		words := strings.Fields(line)
		want = append(want, words[0])
		route := document.Routes[words[1]+" "+base+words[2]]
		if route == nil || route.Operation.OperationID != words[0] {
			t.Errorf("the document has no %s at %s %s", words[0], words[1], words[2])
			continue
		}
		project := route.Operation.Parameters.GetByInAndName("header", "X-PROJECT-ID")
		if (project != nil) != (words[3] == "P") || project != nil && !project.Required {
			t.Errorf("%s has the project %+v", words[0], project)
		}
		for _, status := range words[4:] {
			if route.Operation.Responses.Value(status) == nil {
				t.Errorf("%s does not document %s", words[0], status)
			}
		}
		for status := range route.Operation.Responses.Map() {
			if status[0] == '2' && status != words[4] {
				t.Errorf("%s documents %s", words[0], status)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the document does not have the facts' operations (-facts +document):\n%s", diff)
	}
}

// TestDocumentSaysAllThatCanHappen derives from what an operation is which
// statuses, parameters and headers it has to document. (That the answers are
// as documented is checked wherever a test gets one.)
func TestDocumentSaysAllThatCanHappen(t *testing.T) {
	t.Parallel()
	document, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	for _, route := range document.Routes {
		op := route.Operation
		statuses := []int{400, 401, 500, 503}
		parameters := []string{"header X-ORG-ID"}
		if infrastructureapi.Actions()[op.OperationID].NeedsOrganization() {
			statuses = append(statuses, http.StatusForbidden)
		}
		if strings.Contains(route.Path, "{") || op.Parameters.GetByInAndName("header", "X-PROJECT-ID") != nil {
			statuses = append(statuses, http.StatusNotFound)
		}
		if op.RequestBody != nil {
			statuses = append(statuses, http.StatusRequestEntityTooLarge)
		}
		var headers []string
		if route.Method == http.MethodGet && op.OperationID != "GetKubernetesClusterCredentials" {
			statuses = append(statuses, http.StatusNotModified)
			parameters = append(parameters, "header If-None-Match")
			headers = []string{"ETag", "Cache-Control", "Vary"}
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
		for code, response := range op.Responses.Map() {
			if err := checkResponse(code, response.Value, headers); err != nil {
				t.Errorf("%s: %s %v", op.OperationID, code, err)
			}
		}
	}
}

func checkResponse(code string, response *openapi3.Response, headers []string) error {
	status, err := strconv.Atoi(code)
	if err != nil {
		return err
	}
	content := response.Content.Get("application/json")
	switch {
	case slices.Contains([]int{202, 204, 304}, status) && len(response.Content) > 0:
		return fmt.Errorf("has a body")
	case status >= 400 && (content == nil || content.Schema.Ref != "#/components/schemas/Error"):
		return fmt.Errorf("is no Error")
	case status == 401 && response.Headers["WWW-Authenticate"] == nil, status == 503 && response.Headers["Retry-After"] == nil:
		return fmt.Errorf("lacks its header")
	}
	for _, name := range headers {
		if status == 200 && response.Headers[name] == nil {
			return fmt.Errorf("has no %s", name)
		}
	}
	return nil
}

// TestRouterServesTheDocument proves that the document and the router have the
// same operations.
func TestRouterServesTheDocument(t *testing.T) {
	t.Parallel()
	document, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	documented, routed := map[string]string{}, map[string]string{}
	for pattern, route := range document.Routes {
		documented[pattern] = route.Operation.OperationID
	}
	for pattern, operation := range newWorld(t).api.Routed() {
		routed[pattern] = operation.ID
	}
	if diff := cmp.Diff(documented, routed); diff != "" {
		t.Errorf("the router does not serve what the document says (-document +router):\n%s", diff)
	}
}
