package infrastructureapi

import (
	"context"

	"github.com/penstock-cloud/penstock/internal/engine"
)

func (h handlers) ListCapabilities(context.Context, ListCapabilitiesRequestObject) (ListCapabilitiesResponseObject, error) {
	return answerOne(h.Region.Features(), nil, capabilities)
}

// capabilities lists what does not answer 501, in the document's order.
func capabilities(f engine.Features) []Capability {
	able := []Capability{
		CapabilityProjectsList, CapabilityProjectsCreate, CapabilityProjectsDelete, CapabilityProjectsRead,
		CapabilityInstancesList, CapabilityInstancesCreate, CapabilityInstancesDelete, CapabilityInstancesRead,
		CapabilityInstancesStart, CapabilityInstancesStop,
		CapabilityFilesystemsList,
	}
	if f.Filesystems {
		able = append(able, CapabilityFilesystemsCreate, CapabilityFilesystemsDelete)
	}
	return append(able, CapabilityFilesystemsRead,
		CapabilityKubernetesClustersList, CapabilityKubernetesClustersRead,
		CapabilityKubernetesNodePoolsList, CapabilityKubernetesNodePoolsRead,
		CapabilityKubernetesCredentialsRead,
		CapabilitySlurmClustersList, CapabilitySlurmClustersRead,
		CapabilitySlurmNodePoolsList, CapabilitySlurmNodePoolsRead,
	)
}
