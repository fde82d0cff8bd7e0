package showcase

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// role is a kind of work for which instances are launched.
type role struct {
	project, name, hardware, image string
	preemptible, ephemeral         bool
	tags                           map[string]string
}

const (
	imageUbuntu22 = "image://ubuntu22.04"
	imageUbuntu24 = "image://ubuntu24.04"
)

var roles = []role{
	{project: "research", name: "trainer", hardware: "gpu.h100.8x", image: imageUbuntu22, tags: map[string]string{"team": "foundation", "purpose": "training"}},
	{project: "research", name: "sweep", hardware: "gpu.a100.4x", image: imageUbuntu22, preemptible: true, tags: map[string]string{"team": "foundation", "purpose": "sweep"}},
	{project: "research", name: "notebook", hardware: "gpu.l40s.1x", image: imageUbuntu24},
	{project: "inference", name: "chat", hardware: "gpu.h100.4x", image: imageUbuntu22, tags: map[string]string{"service": "chat", "env": "production"}},
	{project: "inference", name: "embeddings", hardware: "gpu.l40s.2x", image: imageUbuntu22, tags: map[string]string{"service": "embeddings", "env": "production"}},
	{project: "inference", name: "canary", hardware: "gpu.h100.1x", image: imageUbuntu24, tags: map[string]string{"service": "chat", "env": "staging"}},
	{project: "ci", name: "runner", hardware: "gpu.l40s.1x", image: imageUbuntu22, preemptible: true, ephemeral: true, tags: map[string]string{"purpose": "ci"}},
	{project: "ci", name: "builder", hardware: "cpu.32x", image: imageUbuntu24, ephemeral: true, tags: map[string]string{"purpose": "ci"}},
}

// job is a role in a project of an organization.
type job struct {
	role
	organizationID, projectID cloud.ID
}

func newJobs(region string, organization cloud.ID) []*job {
	jobs := make([]*job, len(roles))
	for i, r := range roles {
		jobs[i] = &job{role: r, organizationID: organization, projectID: projectID(region, organization, r.project)}
	}
	return jobs
}

// cluster is a cluster and whether its API is away.
type cluster struct{ engine.Cluster }

var clusterCatalog = []struct {
	project, name string
	kind          cloud.ClusterType
}{
	{"research", "k8s-training", cloud.ClusterKubernetes},
	{"inference", "k8s-serving", cloud.ClusterKubernetes},
	{"research", "slurm-batch", cloud.ClusterSlurm},
	{"ci", "slurm-nightly", cloud.ClusterSlurm},
}

func newClusters(region string, organization cloud.ID) []*cluster {
	clusters := make([]*cluster, len(clusterCatalog))
	for i, c := range clusterCatalog {
		clusters[i] = &cluster{engine.Cluster{
			ID: stableID(region, organization, "cluster", c.name),
			ClusterReport: cloud.ClusterReport{
				OrganizationID: organization,
				ProjectID:      projectID(region, organization, c.project),
				Name:           c.name,
				Type:           c.kind,
				Source:         "prober-" + string(c.kind),
			},
		}}
	}
	return clusters
}

func projectID(region string, organization cloud.ID, name string) cloud.ID {
	return stableID(region, organization, "project", name)
}

// namespace keeps our name-based ids apart from everybody else's.
var namespace = uuid.MustParse("6d0c4f1e-7a57-4a0e-9a55-5b8f6c2f3d11")

// stableID is the same after every restart, without being kept: a UUID made
// from a name (RFC 9562, version 5).
func stableID(region string, organization cloud.ID, kind, name string) cloud.ID {
	return cloud.ID(uuid.NewSHA1(namespace, fmt.Appendf(nil, "%q %q %q %q", region, organization, kind, name)).String())
}

// What goes wrong on an instance that runs, and what keeps one from running.
var (
	faults = []string{
		"GPU 3 fell off the bus",
		"GPU 0 reports uncorrectable ECC errors",
		"disk nvme1n1 is failing: 3 media errors",
		"NVLink between GPU 4 and GPU 5 is down",
	}
	failures = []string{
		"boot failed: no bootable device",
		"the GPU driver did not load: version mismatch",
		"the machine check log reports a fatal memory error",
	}
)

// shared returns the constant that equals s, so that a million machines do not
// hold a million copies; "" if none does.
func shared(s string, among ...[]string) string {
	for _, list := range among {
		if i := slices.Index(list, s); i >= 0 {
			return list[i]
		}
	}
	return ""
}
