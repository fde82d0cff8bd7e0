package region_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/region"
)

const (
	anID       = "019cae00-0000-7000-8000-0000000000e%d"
	acmeID     = cloud.ID("019cae00-0000-7000-8000-0000000000a1")
	globexID   = cloud.ID("019cae00-0000-7000-8000-0000000000a2")
	ownProject = cloud.ID("019cae00-0000-7000-8000-0000000000b1")
	sibling    = cloud.ID("019cae00-0000-7000-8000-0000000000b2")
)

func idNo(n string) cloud.ID { return cloud.ID(strings.ReplaceAll(anID, "%d", n)) }

func kube(n string, project cloud.ID, pools ...string) cloud.KubernetesCluster {
	c := cloud.KubernetesCluster{ID: idNo(n), OrganizationID: acmeID, ProjectID: project, Name: "k" + n, Kubeconfig: n + ".yaml"}
	for _, pool := range pools {
		c.NodePools = append(c.NodePools, cloud.KubernetesNodePool{ID: idNo(pool), Name: "p" + pool, Type: "cpu.2x"})
	}
	return c
}

func declare(t *testing.T, c region.DeclaredConfig) *region.DeclaredClusters {
	t.Helper()
	d, err := region.NewDeclaredClusters(c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDeclaredClustersAreTheirProjectsOwn proves that a project sees its own
// clusters, in order, and nobody else any.
func TestDeclaredClustersAreTheirProjectsOwn(t *testing.T) {
	t.Parallel()
	d := declare(t, region.DeclaredConfig{
		Kubernetes: []cloud.KubernetesCluster{kube("3", ownProject, "5", "4"), kube("1", ownProject), kube("2", sibling)},
		Slurm:      []cloud.SlurmCluster{{ID: idNo("6"), OrganizationID: acmeID, ProjectID: ownProject, Name: "s"}},
	})
	own := region.Caller{OrganizationID: acmeID, ProjectID: ownProject}
	got := d.KubernetesClusters(own)
	if len(got) != 2 || got[0].ID != idNo("1") || got[1].ID != idNo("3") {
		t.Fatalf("got %+v", got)
	}
	if pools := got[1].NodePools; pools[0].ID != idNo("4") || pools[1].ID != idNo("5") {
		t.Errorf("the node pools are not ordered: %+v", pools)
	}
	if _, err := d.KubernetesNodePool(own, idNo("3"), idNo("4")); err != nil {
		t.Error(err)
	}
	if _, err := d.SlurmCluster(own, idNo("6")); err != nil {
		t.Error(err)
	}
	for name, other := range map[string]region.Caller{
		"another project":             {OrganizationID: acmeID, ProjectID: sibling},
		"no project":                  {OrganizationID: acmeID},
		"another's by a mistaken one": {OrganizationID: globexID, ProjectID: ownProject},
	} {
		_, pool := d.KubernetesNodePool(other, idNo("3"), idNo("4"))
		_, cluster := d.KubernetesCluster(other, idNo("3"))
		_, slurm := d.SlurmNodePool(other, idNo("6"), idNo("7"))
		_, credentials := d.Kubeconfig(other, idNo("3"))
		for _, err := range []error{pool, cluster, slurm, credentials} {
			if cloud.CodeOf(err) != cloud.CodeNotFound {
				t.Errorf("%s: got %v; want not found", name, err)
			}
		}
		if len(d.SlurmClusters(other)) > 0 {
			t.Errorf("%s: sees Slurm clusters", name)
		}
	}
	var none *region.DeclaredClusters
	if len(none.KubernetesClusters(own))+len(none.SlurmClusters(own)) > 0 {
		t.Error("nothing declared is not nothing")
	}
}

// TestKubeconfigIsReadWhenItIsAskedFor proves that a new one holds at once, and
// that a missing file is no answer for its tenant.
func TestKubeconfigIsReadWhenItIsAskedFor(t *testing.T) {
	t.Parallel()
	text, failure := "old", error(nil)
	d := declare(t, region.DeclaredConfig{
		Kubernetes: []cloud.KubernetesCluster{kube("1", ownProject)},
		ReadFile: func(name string) ([]byte, error) {
			if name != "1.yaml" {
				t.Errorf("read %s", name)
			}
			return []byte(text), failure
		},
	})
	own := region.Caller{OrganizationID: acmeID, ProjectID: ownProject}
	for _, text = range []string{"old", "new"} {
		if got, err := d.Kubeconfig(own, idNo("1")); err != nil || string(got) != text {
			t.Errorf("got %q, %v; want %q", got, err, text)
		}
	}
	failure = errors.New("no such file")
	if _, err := d.Kubeconfig(own, idNo("1")); !errors.Is(err, failure) || cloud.CodeOf(err) != "" {
		t.Errorf("got %v; want what is for the log", err)
	}
}

// TestWrongDeclarationsAreRefused names what is wrong and where.
func TestWrongDeclarationsAreRefused(t *testing.T) {
	t.Parallel()
	twice := []cloud.KubernetesCluster{kube("1", ownProject), kube("2", ownProject, "1")}
	for says, c := range map[string]region.DeclaredConfig{
		"kubernetes[1]: the id " + string(idNo("1")) + " is declared twice": {Kubernetes: twice},
		"slurm[0]: project_id": {Slurm: []cloud.SlurmCluster{{ID: idNo("1"), OrganizationID: acmeID, Name: "s"}}},
		"kubernetes[0]: node_pools[0]: name is missing": {Kubernetes: []cloud.KubernetesCluster{{
			ID: idNo("1"), OrganizationID: acmeID, ProjectID: ownProject, Name: "k",
			NodePools: []cloud.KubernetesNodePool{{ID: idNo("2")}},
		}}},
	} {
		if _, err := region.NewDeclaredClusters(c); cloud.CodeOf(err) != cloud.CodeInvalid || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v; want %q", err, says)
		}
	}
}
