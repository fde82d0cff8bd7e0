package infrastructureapi

import (
	"context"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/rest"
)

var errDeclaredKubernetes = cloud.Unimplemented("this region's engine cannot create, change or delete Kubernetes clusters; its operator declares those that there are")

func (h handlers) ListKubernetesClusters(ctx context.Context, _ ListKubernetesClustersRequestObject) (ListKubernetesClustersResponseObject, error) {
	return answerList(h.Clusters.KubernetesClusters(callerOf(ctx)), nil, wireKubernetesCluster)
}

func (h handlers) GetKubernetesCluster(ctx context.Context, r GetKubernetesClusterRequestObject) (GetKubernetesClusterResponseObject, error) {
	cluster, err := h.Clusters.KubernetesCluster(callerOf(ctx), idOf(r.ID))
	return answerOne(cluster, err, wireKubernetesCluster)
}

func (h handlers) ListKubernetesNodePools(ctx context.Context, r ListKubernetesNodePoolsRequestObject) (ListKubernetesNodePoolsResponseObject, error) {
	cluster, err := h.Clusters.KubernetesCluster(callerOf(ctx), idOf(r.ClusterID))
	return answerOne(cluster, err, wireKubernetesNodePools)
}

func (h handlers) ListAllKubernetesNodePools(ctx context.Context, _ ListAllKubernetesNodePoolsRequestObject) (ListAllKubernetesNodePoolsResponseObject, error) {
	return answerOne(h.Clusters.KubernetesClusters(callerOf(ctx)), nil, func(clusters []cloud.KubernetesCluster) []KubernetesNodePool {
		return poolsOfAll(clusters, wireKubernetesNodePools, func(p KubernetesNodePool) string { return p.ID.String() })
	})
}

func (h handlers) GetKubernetesNodePool(ctx context.Context, r GetKubernetesNodePoolRequestObject) (GetKubernetesNodePoolResponseObject, error) {
	pool, err := h.Clusters.KubernetesNodePool(callerOf(ctx), idOf(r.ClusterID), idOf(r.NodePoolID))
	return answerOne(pool, err, wireKubernetesNodePoolOf(idOf(r.ClusterID)))
}

func (h handlers) GetKubernetesClusterCredentials(ctx context.Context, r GetKubernetesClusterCredentialsRequestObject) (GetKubernetesClusterCredentialsResponseObject, error) {
	text, err := h.Clusters.Kubeconfig(callerOf(ctx), idOf(r.ClusterID))
	if err != nil {
		return nil, err
	}
	return kubeconfig(text), nil
}

func (h handlers) CreateKubernetesCluster(context.Context, CreateKubernetesClusterRequestObject) (CreateKubernetesClusterResponseObject, error) {
	return nil, errDeclaredKubernetes
}

func (h handlers) DeleteKubernetesCluster(context.Context, DeleteKubernetesClusterRequestObject) (DeleteKubernetesClusterResponseObject, error) {
	return nil, errDeclaredKubernetes
}

func (h handlers) CreateKubernetesNodePool(context.Context, CreateKubernetesNodePoolRequestObject) (CreateKubernetesNodePoolResponseObject, error) {
	return nil, errDeclaredKubernetes
}

func (h handlers) DeleteKubernetesNodePool(context.Context, DeleteKubernetesNodePoolRequestObject) (DeleteKubernetesNodePoolResponseObject, error) {
	return nil, errDeclaredKubernetes
}

func wireKubernetesCluster(c cloud.KubernetesCluster) KubernetesCluster {
	return KubernetesCluster{ID: uuidOf(c.ID), Name: c.Name, Version: c.Version, Endpoint: rest.OrNil(c.Endpoint)}
}

func wireKubernetesNodePools(c cloud.KubernetesCluster) []KubernetesNodePool {
	return rest.Translate(c.NodePools, wireKubernetesNodePoolOf(c.ID))
}

func wireKubernetesNodePoolOf(cluster cloud.ID) func(cloud.KubernetesNodePool) KubernetesNodePool {
	return func(p cloud.KubernetesNodePool) KubernetesNodePool {
		return KubernetesNodePool{
			ID: uuidOf(p.ID), Name: p.Name, Cluster: string(cluster), Type: p.Type, Count: p.Count, Version: p.Version,
			Nodes: rest.Translate(p.Nodes, wireKubernetesNode),
		}
	}
}

func wireKubernetesNode(n cloud.KubernetesNode) KubernetesNode {
	node := KubernetesNode{
		Name: n.Name, InstanceID: uuidOf(n.InstanceID), State: KubernetesNodeState(n.State),
		KubeletVersion: n.KubeletVersion, CreatedAt: n.CreatedAt.UTC(),
		Conditions: rest.Translate(n.Conditions, wireKubernetesCondition),
		Labels:     n.Labels, Taints: rest.Translate(n.Taints, wireKubernetesTaint),
	}
	if a := n.Accelerator; a != nil {
		node.Accelerator = &KubernetesAccelerator{
			Type: KubernetesAcceleratorType(a.Type), Product: a.Product, DriverVersion: a.DriverVersion,
		}
	}
	return node
}

func wireKubernetesCondition(c cloud.KubernetesNodeCondition) KubernetesNodeCondition {
	return KubernetesNodeCondition{
		Type: c.Type, Status: KubernetesConditionStatus(c.Status),
		LastHeartbeatTime: timeOrNil(c.HeartbeatAt), LastTransitionTime: timeOrNil(c.TransitionedAt),
		Reason: rest.OrNil(c.Reason), Message: rest.OrNil(c.Message),
	}
}

func wireKubernetesTaint(t cloud.KubernetesTaint) KubernetesTaint {
	return KubernetesTaint{Key: t.Key, Value: rest.OrNil(t.Value), Effect: t.Effect}
}

func timeOrNil(at time.Time) *time.Time { return rest.OrNil(at.UTC()) }
