package infrastructureapi_test

import (
	"context"
	"errors"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/region"
)

var start = time.Date(2026, 3, 2, 15, 30, 0, 0, time.FixedZone("CET", 3600))

// Those who call. Their names say what they are, and are their tokens.
const (
	anonymous = "" // sends no token
	badToken  = "badToken"
	viewer    = "viewer"
	editor    = "editor"
	admin     = "admin"
	stranger  = "stranger" // an admin, but of globex
	loner     = "loner"    // belongs to no organization
	several   = "several"  // an editor of acme and of globex
)

// The identities in the fixture.
const (
	acme   = "019cae00-0000-7000-8000-0000000000a1"
	globex = "019cae00-0000-7000-8000-0000000000a2"
	nobody = "019cae00-0000-7000-8000-0000000000ff" // nothing has it

	training  = "019cae00-0000-7000-8000-0000000000b1" // acme's projects
	empty     = "019cae00-0000-7000-8000-0000000000b2"
	rendering = "019cae00-0000-7000-8000-0000000000b3" // globex's

	trainer  = "019cae00-0000-7000-8000-000000000101" // runs
	sleeper  = "019cae00-0000-7000-8000-000000000102" // is stopped
	newcomer = "019cae00-0000-7000-8000-000000000103" // is being made
	foreign  = "019cae00-0000-7000-8000-000000000199" // globex's

	corpus   = "019cae00-0000-7000-8000-000000000201" // a filesystem that trainer has
	scratch  = "019cae00-0000-7000-8000-000000000202"
	textures = "019cae00-0000-7000-8000-000000000299" // globex's

	notebooks     = "019cae00-0000-7000-8000-000000000301" // a Kubernetes cluster
	notebooksGPU  = "019cae00-0000-7000-8000-000000000302" // of it
	bare          = "019cae00-0000-7000-8000-000000000303" // has nothing
	batch         = "019cae00-0000-7000-8000-000000000304" // a Slurm cluster
	batchNodes    = "019cae00-0000-7000-8000-000000000305" // of it
	foreignKube   = "019cae00-0000-7000-8000-000000000398"
	foreignSlurm  = "019cae00-0000-7000-8000-000000000399"
	kubeconfig    = "apiVersion: v1\nkind: Config\ncurrent-context: notebooks\n"
	userDataInB64 = "I2Nsb3VkLWNvbmZpZwpzc2hfYXV0aG9yaXplZF9rZXlzOgogIC0gc3NoLWVkMjU1MTkgQUFBQQo="
)

var userIDs = map[string]cloud.ID{
	viewer:   "019cae00-0000-7000-8000-0000000000c1",
	editor:   "019cae00-0000-7000-8000-0000000000c2",
	admin:    "019cae00-0000-7000-8000-0000000000c3",
	stranger: "019cae00-0000-7000-8000-0000000000c5",
	loner:    "019cae00-0000-7000-8000-0000000000c6",
	several:  "019cae00-0000-7000-8000-0000000000c7",
}

var roles = map[cloud.ID][]cloud.Relation{
	userIDs[viewer]:   {{OrganizationID: acme, Role: cloud.RoleViewer}},
	userIDs[editor]:   {{OrganizationID: acme, Role: cloud.RoleEditor}},
	userIDs[admin]:    {{OrganizationID: acme, Role: cloud.RoleAdmin}},
	userIDs[stranger]: {{OrganizationID: globex, Role: cloud.RoleAdmin}},
	userIDs[several]:  {{OrganizationID: acme, Role: cloud.RoleEditor}, {OrganizationID: globex, Role: cloud.RoleEditor}},
}

// tokens is a Verifier whose tokens are names.
type tokens struct{ away bool }

func (v tokens) Verify(_ context.Context, token string) (cloud.Principal, error) {
	if v.away {
		return cloud.Principal{}, cloud.Unavailable(errors.New("no keys yet"))
	}
	id, ok := userIDs[token]
	if !ok {
		return cloud.Principal{}, cloud.Unauthenticated("the signature of the token does not hold")
	}
	return cloud.Principal{UserID: id}, nil
}

// errSecret is an error that is for the log.
var errSecret = errors.New("the password hunter2 is wrong")

// types are by name.
func types() []cloud.InstanceType {
	return []cloud.InstanceType{
		{Name: "cpu.2x", CPU: 2, Memory: 4 << 30},
		{Name: "h100-sxm5-80gb.8x", CPU: 176, Memory: 960 << 30, GPUModel: "h100-sxm5-80gb", GPUCount: 8},
	}
}

func projects() []cloud.Project {
	return []cloud.Project{
		{ID: training, OrganizationID: acme, Name: "training", State: cloud.ProjectActive, Tags: cloud.Tags{"team": "speech"}},
		{ID: empty, OrganizationID: acme, Name: "empty", State: cloud.ProjectActive},
		{ID: rendering, OrganizationID: globex, Name: "rendering", State: cloud.ProjectActive},
	}
}

func machines() []cloud.Machine {
	data := userDataInB64
	spec := func(name string) cloud.MachineSpec {
		return cloud.MachineSpec{Name: name, Type: types()[0], Image: "image://ubuntu22.04"}
	}
	full := cloud.MachineSpec{
		Name: "trainer", Type: types()[1], Image: "image://ubuntu24.04", Preemptible: true, Ephemeral: true, UserData: &data,
		Filesystems: []cloud.ID{corpus}, Tags: cloud.Tags{"team": "speech"}, SSHKeys: []string{"ssh-ed25519 AAAA"},
	}
	return []cloud.Machine{
		{ID: trainer, OrganizationID: acme, ProjectID: training, MachineSpec: full, State: cloud.InstanceRunning, IP: "10.20.0.2"},
		{ID: sleeper, OrganizationID: acme, ProjectID: training, MachineSpec: spec("sleeper"), State: cloud.InstanceStopped, IP: "10.20.0.3"},
		{ID: newcomer, OrganizationID: acme, ProjectID: training, MachineSpec: spec("newcomer"), State: cloud.InstanceCreating},
		{ID: foreign, OrganizationID: globex, ProjectID: rendering, MachineSpec: spec("foreign"), State: cloud.InstanceRunning, IP: "10.20.0.4"},
	}
}

func filesystems() []cloud.Filesystem {
	return []cloud.Filesystem{
		{ID: corpus, ProjectID: training, Name: "corpus", Size: 512 << 30},
		{ID: scratch, ProjectID: training, Name: "scratch", Size: 1 << 40},
		{ID: textures, ProjectID: rendering, Name: "textures", Size: 1 << 30},
	}
}

func kubernetesClusters() []cloud.KubernetesCluster {
	node := cloud.KubernetesNode{
		Name: "gpu-0", InstanceID: trainer, State: cloud.KubernetesNodeReady, KubeletVersion: "v1.33.2", CreatedAt: start,
		Conditions: []cloud.KubernetesNodeCondition{
			{Type: "DiskPressure", Status: "False"},
			{Type: "Ready", Status: "True", HeartbeatAt: start, TransitionedAt: start, Reason: "KubeletReady", Message: "kubelet is posting ready status"},
		},
		Accelerator: &cloud.KubernetesAccelerator{Type: cloud.AcceleratorNVIDIA, Product: "NVIDIA-H100-80GB-HBM3", DriverVersion: "570.86.15"},
		Labels:      map[string]string{"pool": "gpu"},
		Taints:      []cloud.KubernetesTaint{{Key: "nvidia.com/gpu", Effect: "NoSchedule"}},
	}
	plain := cloud.KubernetesNode{Name: "gpu-1", InstanceID: sleeper, State: cloud.KubernetesNodeUnknown, CreatedAt: start}
	return []cloud.KubernetesCluster{
		{ID: bare, OrganizationID: acme, ProjectID: training, Name: "bare", Version: "1.33.2"},
		{
			ID: notebooks, OrganizationID: acme, ProjectID: training, Name: "notebooks", Version: "1.33.2",
			Endpoint: "https://10.30.0.10:6443", Kubeconfig: "notebooks.yaml",
			NodePools: []cloud.KubernetesNodePool{
				{ID: notebooksGPU, Name: "gpu", Type: "h100-sxm5-80gb.8x", Count: 2, Version: "1.33.2", Nodes: []cloud.KubernetesNode{node, plain}},
			},
		},
		{ID: foreignKube, OrganizationID: globex, ProjectID: rendering, Name: "render", Version: "1.33.2"},
	}
}

func slurmClusters() []cloud.SlurmCluster {
	return []cloud.SlurmCluster{
		{
			ID: batch, OrganizationID: acme, ProjectID: training, Name: "batch", Version: "25.05.1",
			LoginNodes: []cloud.SlurmLoginNode{{Name: "login-0", PublicIP: "192.0.2.10"}, {Name: "login-1"}},
			NodePools: []cloud.SlurmNodePool{{ID: batchNodes, Name: "nodes", Type: "cpu.2x", Count: 2, Nodes: []cloud.SlurmNode{
				{Name: "batch-0", InstanceID: trainer, States: []string{"IDLE", "DRAIN"}, SlurmdVersion: "25.05.1"},
				{Name: "batch-1", InstanceID: sleeper},
			}}},
		},
		{ID: foreignSlurm, OrganizationID: globex, ProjectID: rendering, Name: "render", Version: "25.05.1"},
	}
}

func declared() (*region.DeclaredClusters, error) {
	return region.NewDeclaredClusters(region.DeclaredConfig{
		Kubernetes: kubernetesClusters(), Slurm: slurmClusters(),
		ReadFile: func(name string) ([]byte, error) {
			if name != "notebooks.yaml" {
				return nil, errors.New("no such file")
			}
			return []byte(kubeconfig), nil
		},
	})
}
