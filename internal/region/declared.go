package region

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// DeclaredConfig is what DeclaredClusters are made of.
type DeclaredConfig struct {
	Kubernetes []cloud.KubernetesCluster
	Slurm      []cloud.SlurmCluster
	// ReadFile reads the kubeconfig that a cluster names, as os.ReadFile. It is
	// required where one does.
	ReadFile func(name string) ([]byte, error)
}

// DeclaredClusters are the Kubernetes and Slurm clusters that the region's
// configuration declares. Each is shown to its own project; towards all others
// there is none. They do not change, so they are safe for concurrent use. A nil
// *DeclaredClusters has none.
type DeclaredClusters struct {
	kubernetes []cloud.KubernetesCluster // by id, as the pools and all that follows
	slurm      []cloud.SlurmCluster
	readFile   func(name string) ([]byte, error)
}

// NewDeclaredClusters checks what is declared. CodeInvalid names what is wrong
// and where.
func NewDeclaredClusters(c DeclaredConfig) (*DeclaredClusters, error) {
	d := &DeclaredClusters{readFile: c.ReadFile, kubernetes: slices.Clone(c.Kubernetes), slurm: slices.Clone(c.Slurm)}
	seen := make(map[cloud.ID]bool)
	for i, cluster := range d.kubernetes {
		d.kubernetes[i].NodePools = sortedByID(cluster.NodePools, kubernetesPoolID)
		ids := idsOf(cluster.ID, cluster.NodePools, kubernetesPoolID)
		if err := cmp.Or(cluster.Check(), unique(seen, ids)); err != nil {
			return nil, cloud.About(fmt.Sprintf("kubernetes[%d]", i), err)
		}
	}
	for i, cluster := range d.slurm {
		d.slurm[i].NodePools = sortedByID(cluster.NodePools, slurmPoolID)
		ids := idsOf(cluster.ID, cluster.NodePools, slurmPoolID)
		if err := cmp.Or(cluster.Check(), unique(seen, ids)); err != nil {
			return nil, cloud.About(fmt.Sprintf("slurm[%d]", i), err)
		}
	}
	d.kubernetes = sortedByID(d.kubernetes, func(c cloud.KubernetesCluster) cloud.ID { return c.ID })
	d.slurm = sortedByID(d.slurm, func(c cloud.SlurmCluster) cloud.ID { return c.ID })
	return d, nil
}

func kubernetesPoolID(p cloud.KubernetesNodePool) cloud.ID { return p.ID }

func slurmPoolID(p cloud.SlurmNodePool) cloud.ID { return p.ID }

func sortedByID[T any](items []T, id func(T) cloud.ID) []T {
	return slices.SortedFunc(slices.Values(items), func(a, b T) int { return strings.Compare(string(id(a)), string(id(b))) })
}

func idsOf[T any](cluster cloud.ID, pools []T, id func(T) cloud.ID) []cloud.ID {
	ids := []cloud.ID{cluster}
	for _, pool := range pools {
		ids = append(ids, id(pool))
	}
	return ids
}

func unique(seen map[cloud.ID]bool, ids []cloud.ID) error {
	for _, id := range ids {
		if seen[id] {
			return cloud.Invalid("the id %s is declared twice; give each cluster and node pool its own", id)
		}
		seen[id] = true
	}
	return nil
}

// KubernetesClusters lists those of the caller's project, by id.
func (d *DeclaredClusters) KubernetesClusters(c Caller) (own []cloud.KubernetesCluster) {
	if d == nil {
		return nil
	}
	for _, cluster := range d.kubernetes {
		if c.owns(cluster.OrganizationID, cluster.ProjectID) {
			own = append(own, cluster)
		}
	}
	return own
}

// KubernetesCluster returns one of the caller's project; else CodeNotFound.
func (d *DeclaredClusters) KubernetesCluster(c Caller, id cloud.ID) (cloud.KubernetesCluster, error) {
	for _, cluster := range d.KubernetesClusters(c) {
		if cluster.ID == id {
			return cluster, nil
		}
	}
	return cloud.KubernetesCluster{}, cloud.NotFound("this project has no Kubernetes cluster of that id; GET /kubernetes/clusters lists those it has")
}

// KubernetesNodePool returns one of a cluster of the caller's project; else
// CodeNotFound.
func (d *DeclaredClusters) KubernetesNodePool(c Caller, cluster, pool cloud.ID) (cloud.KubernetesNodePool, error) {
	k, err := d.KubernetesCluster(c, cluster)
	if err != nil {
		return cloud.KubernetesNodePool{}, err
	}
	return poolIn(k.NodePools, pool, kubernetesPoolID)
}

// Kubeconfig returns what opens a cluster of the caller's project, read anew.
// CodeNotFound if there is no such cluster, or if nothing is declared for it.
func (d *DeclaredClusters) Kubeconfig(c Caller, cluster cloud.ID) ([]byte, error) {
	k, err := d.KubernetesCluster(c, cluster)
	if err != nil {
		return nil, err
	}
	if k.Kubeconfig == "" {
		return nil, cloud.NotFound("no credentials are declared for this cluster; ask the operator of the region")
	}
	text, err := d.readFile(k.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig of cluster %s: %w", k.ID, err)
	}
	return text, nil
}

// SlurmClusters lists those of the caller's project, by id.
func (d *DeclaredClusters) SlurmClusters(c Caller) (own []cloud.SlurmCluster) {
	if d == nil {
		return nil
	}
	for _, cluster := range d.slurm {
		if c.owns(cluster.OrganizationID, cluster.ProjectID) {
			own = append(own, cluster)
		}
	}
	return own
}

// SlurmCluster returns one of the caller's project; else CodeNotFound.
func (d *DeclaredClusters) SlurmCluster(c Caller, id cloud.ID) (cloud.SlurmCluster, error) {
	for _, cluster := range d.SlurmClusters(c) {
		if cluster.ID == id {
			return cluster, nil
		}
	}
	return cloud.SlurmCluster{}, cloud.NotFound("this project has no Slurm cluster of that id; GET /slurm/clusters lists those it has")
}

// SlurmNodePool returns one of a cluster of the caller's project; else
// CodeNotFound.
func (d *DeclaredClusters) SlurmNodePool(c Caller, cluster, pool cloud.ID) (cloud.SlurmNodePool, error) {
	s, err := d.SlurmCluster(c, cluster)
	if err != nil {
		return cloud.SlurmNodePool{}, err
	}
	return poolIn(s.NodePools, pool, slurmPoolID)
}

func poolIn[T any](pools []T, wanted cloud.ID, id func(T) cloud.ID) (pool T, err error) {
	i := slices.IndexFunc(pools, func(p T) bool { return id(p) == wanted })
	if i < 0 {
		return pool, cloud.NotFound("this cluster has no node pool of that id; GET node-pools lists those it has")
	}
	return pools[i], nil
}

// owns reports whether something of an organization's project is the caller's
// to see. A declaration may name a project of somebody else's by mistake.
func (c Caller) owns(organization, project cloud.ID) bool {
	return c.ProjectID != "" && c.OrganizationID == organization && c.ProjectID == project
}
