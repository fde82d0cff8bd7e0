package cloud_test

import (
	"strings"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

const declaredID = cloud.ID("019cae00-0000-7000-8000-000000000001")

func declaredKubernetes() cloud.KubernetesCluster {
	return cloud.KubernetesCluster{
		ID: declaredID, OrganizationID: declaredID, ProjectID: declaredID, Name: "notebooks", Version: "1.33.2", Endpoint: "https://10.30.0.10:6443",
		NodePools: []cloud.KubernetesNodePool{{ID: declaredID, Name: "gpu", Type: "h100", Count: 1, Nodes: []cloud.KubernetesNode{{
			Name: "gpu-0", InstanceID: declaredID, State: cloud.KubernetesNodeReady, CreatedAt: time.Unix(1, 0),
			Conditions:  []cloud.KubernetesNodeCondition{{Type: "Ready", Status: "True"}},
			Accelerator: &cloud.KubernetesAccelerator{Type: cloud.AcceleratorNVIDIA},
		}}}},
	}
}

func declaredSlurm() cloud.SlurmCluster {
	return cloud.SlurmCluster{
		ID: declaredID, OrganizationID: declaredID, ProjectID: declaredID, Name: "training", Version: "25.05.1",
		LoginNodes: []cloud.SlurmLoginNode{{Name: "login-0", PublicIP: "192.0.2.1"}, {Name: "login-1"}},
		NodePools: []cloud.SlurmNodePool{{ID: declaredID, Name: "batch", Type: "cpu", Count: 1, Nodes: []cloud.SlurmNode{
			{Name: "batch-0", InstanceID: declaredID, States: []string{"IDLE"}},
		}}},
	}
}

func TestDeclaredKubernetesCluster(t *testing.T) {
	t.Parallel()
	if err := declaredKubernetes().Check(); err != nil {
		t.Fatalf("a good one: %v", err)
	}
	node := func(c *cloud.KubernetesCluster) *cloud.KubernetesNode { return &c.NodePools[0].Nodes[0] }
	for says, spoil := range map[string]func(*cloud.KubernetesCluster){
		"id: \"x\" is not a UUID":                   func(c *cloud.KubernetesCluster) { c.ID = "x" },
		"organization_id: ids are written in lower": func(c *cloud.KubernetesCluster) { c.OrganizationID = cloud.ID(strings.ToUpper(string(declaredID))) },
		"name is missing":                           func(c *cloud.KubernetesCluster) { c.Name = " " },
		"endpoint must be a URL":                    func(c *cloud.KubernetesCluster) { c.Endpoint = "http://10.30.0.10" },
		"texts are printable":                       func(c *cloud.KubernetesCluster) { c.Version = "1\n2" },
		"node_pools[0]: a node pool has 0 to":       func(c *cloud.KubernetesCluster) { c.NodePools[0].Count = -1 },
		"node_pools[0]: type is missing":            func(c *cloud.KubernetesCluster) { c.NodePools[0].Type = "" },
		"node_pools[0]: nodes[0]: instance_id":      func(c *cloud.KubernetesCluster) { node(c).InstanceID = "" },
		"nodes[0]: name is missing":                 func(c *cloud.KubernetesCluster) { node(c).Name = "" },
		"nodes[0]: state must be one of":            func(c *cloud.KubernetesCluster) { node(c).State = "asleep" },
		"nodes[0]: created_at is missing":           func(c *cloud.KubernetesCluster) { node(c).CreatedAt = time.Time{} },
		"condition \"Ready\" must be one of":        func(c *cloud.KubernetesCluster) { node(c).Conditions[0].Status = "yes" },
		"accelerator must be nvidia/gpu":            func(c *cloud.KubernetesCluster) { node(c).Accelerator.Type = "abacus" },
	} {
		c := declaredKubernetes()
		spoil(&c)
		if err := c.Check(); cloud.CodeOf(err) != cloud.CodeInvalid || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v; want %q", err, says)
		}
	}
}

func TestDeclaredSlurmCluster(t *testing.T) {
	t.Parallel()
	if err := declaredSlurm().Check(); err != nil {
		t.Fatalf("a good one: %v", err)
	}
	for says, spoil := range map[string]func(*cloud.SlurmCluster){
		"project_id:":                          func(c *cloud.SlurmCluster) { c.ProjectID = "" },
		"login_nodes[0]: public_ip":            func(c *cloud.SlurmCluster) { c.LoginNodes[0].PublicIP = "login" },
		"login_nodes[1]: name is missing":      func(c *cloud.SlurmCluster) { c.LoginNodes[1].Name = "" },
		"node_pools[0]: nodes[0]: instance_id": func(c *cloud.SlurmCluster) { c.NodePools[0].Nodes[0].InstanceID = "x" },
		"nodes[0]: texts are printable":        func(c *cloud.SlurmCluster) { c.NodePools[0].Nodes[0].States[0] = "\x00" },
		"node_pools[0]: id":                    func(c *cloud.SlurmCluster) { c.NodePools[0].ID = "x" },
	} {
		c := declaredSlurm()
		spoil(&c)
		if err := c.Check(); cloud.CodeOf(err) != cloud.CodeInvalid || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v; want %q", err, says)
		}
	}
}
