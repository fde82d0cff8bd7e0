package infrastructureapi_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/penstock-cloud/penstock/internal/engine"
)

// capabilityOf names the capability that each operation belongs to; "" for
// those that belong to none.
var capabilityOf = map[string]string{
	"ListCapabilities":  "",
	"ListInstanceTypes": "",
	"ListCapacity":      "",

	"ListProjects":  "projects:list",
	"GetProject":    "projects:read",
	"CreateProject": "projects:create",
	"DeleteProject": "projects:delete",

	"ListInstances":  "instances:list",
	"GetInstance":    "instances:read",
	"CreateInstance": "instances:create",
	"StartInstance":  "instances:start",
	"StopInstance":   "instances:stop",
	"DeleteInstance": "instances:delete",

	"ListFilesystems":  "filesystems:list",
	"GetFilesystem":    "filesystems:read",
	"CreateFilesystem": "filesystems:create",
	"DeleteFilesystem": "filesystems:delete",

	"ListKubernetesClusters":          "kubernetes:clusters:list",
	"GetKubernetesCluster":            "kubernetes:clusters:read",
	"CreateKubernetesCluster":         "kubernetes:clusters:create",
	"DeleteKubernetesCluster":         "kubernetes:clusters:delete",
	"ListKubernetesNodePools":         "kubernetes:node-pools:list",
	"ListAllKubernetesNodePools":      "kubernetes:node-pools:list",
	"GetKubernetesNodePool":           "kubernetes:node-pools:read",
	"CreateKubernetesNodePool":        "kubernetes:node-pools:create",
	"DeleteKubernetesNodePool":        "kubernetes:node-pools:delete",
	"GetKubernetesClusterCredentials": "kubernetes:credentials:read",

	"ListSlurmClusters":     "slurm:clusters:list",
	"GetSlurmCluster":       "slurm:clusters:read",
	"CreateSlurmCluster":    "", // for these there is no word
	"DeleteSlurmCluster":    "",
	"ListSlurmNodePools":    "slurm:node-pools:list",
	"ListAllSlurmNodePools": "slurm:node-pools:list",
	"GetSlurmNodePool":      "slurm:node-pools:read",
	"CreateSlurmNodePool":   "",
	"DeleteSlurmNodePool":   "",
}

// TestCapabilitiesAgreeWithWhatHappens calls every operation, and proves that
// those that answer 501 are those whose capability is not listed.
func TestCapabilitiesAgreeWithWhatHappens(t *testing.T) {
	t.Parallel()
	for _, features := range []engine.Features{{}, {Filesystems: true}} {
		var able []string
		w := newWorld(t)
		w.region.features = features
		w.get(loner, "/capabilities").want(http.StatusOK).into(&able)
		used := map[string]bool{}
		for operation, request := range examples {
			w := newWorld(t)
			w.region.features = features
			capability, known := capabilityOf[operation]
			if !known {
				t.Errorf("%s belongs to no capability, nor to none", operation)
			}
			used[capability] = true
			r := w.call(admin, request.method, request.path, request.body)
			if listed := slices.Contains(able, capability); capability != "" && listed == (r.status == http.StatusNotImplemented) {
				t.Errorf("%+v: %s answers %d, and %s is listed: %t", features, operation, r.status, capability, listed)
			}
		}
		for _, capability := range able {
			if !used[capability] {
				t.Errorf("%+v: %s is listed, and belongs to no operation", features, capability)
			}
		}
		if len(able) < 15 {
			t.Errorf("%+v: only %v are listed", features, able)
		}
	}
}
