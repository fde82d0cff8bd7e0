package infrastructureapi

import (
	"context"
	"slices"
	"strings"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/rest"
)

var errDeclaredSlurm = cloud.Unimplemented("this region's engine cannot create, change or delete Slurm clusters; its operator declares those that there are")

func (h handlers) ListSlurmClusters(ctx context.Context, _ ListSlurmClustersRequestObject) (ListSlurmClustersResponseObject, error) {
	return answerList(h.Clusters.SlurmClusters(callerOf(ctx)), nil, wireSlurmCluster)
}

func (h handlers) GetSlurmCluster(ctx context.Context, r GetSlurmClusterRequestObject) (GetSlurmClusterResponseObject, error) {
	cluster, err := h.Clusters.SlurmCluster(callerOf(ctx), idOf(r.ID))
	return answerOne(cluster, err, wireSlurmCluster)
}

func (h handlers) ListSlurmNodePools(ctx context.Context, r ListSlurmNodePoolsRequestObject) (ListSlurmNodePoolsResponseObject, error) {
	cluster, err := h.Clusters.SlurmCluster(callerOf(ctx), idOf(r.ClusterID))
	return answerOne(cluster, err, wireSlurmNodePools)
}

func (h handlers) ListAllSlurmNodePools(ctx context.Context, _ ListAllSlurmNodePoolsRequestObject) (ListAllSlurmNodePoolsResponseObject, error) {
	return answerOne(h.Clusters.SlurmClusters(callerOf(ctx)), nil, func(clusters []cloud.SlurmCluster) []SlurmNodePool {
		return poolsOfAll(clusters, wireSlurmNodePools, func(p SlurmNodePool) string { return p.ID.String() })
	})
}

func (h handlers) GetSlurmNodePool(ctx context.Context, r GetSlurmNodePoolRequestObject) (GetSlurmNodePoolResponseObject, error) {
	pool, err := h.Clusters.SlurmNodePool(callerOf(ctx), idOf(r.ClusterID), idOf(r.NodePoolID))
	return answerOne(pool, err, wireSlurmNodePool)
}

func (h handlers) CreateSlurmCluster(context.Context, CreateSlurmClusterRequestObject) (CreateSlurmClusterResponseObject, error) {
	return nil, errDeclaredSlurm
}

func (h handlers) DeleteSlurmCluster(context.Context, DeleteSlurmClusterRequestObject) (DeleteSlurmClusterResponseObject, error) {
	return nil, errDeclaredSlurm
}

func (h handlers) CreateSlurmNodePool(context.Context, CreateSlurmNodePoolRequestObject) (CreateSlurmNodePoolResponseObject, error) {
	return nil, errDeclaredSlurm
}

func (h handlers) DeleteSlurmNodePool(context.Context, DeleteSlurmNodePoolRequestObject) (DeleteSlurmNodePoolResponseObject, error) {
	return nil, errDeclaredSlurm
}

func wireSlurmCluster(c cloud.SlurmCluster) SlurmCluster {
	return SlurmCluster{
		ID: uuidOf(c.ID), Name: c.Name, Version: c.Version, LoginNodes: rest.Translate(c.LoginNodes, wireSlurmLoginNode),
	}
}

func wireSlurmLoginNode(n cloud.SlurmLoginNode) SlurmLoginNode {
	return SlurmLoginNode{Name: n.Name, PublicIP: rest.OrNil(n.PublicIP)}
}

func wireSlurmNodePools(c cloud.SlurmCluster) []SlurmNodePool {
	return rest.Translate(c.NodePools, wireSlurmNodePool)
}

func wireSlurmNodePool(p cloud.SlurmNodePool) SlurmNodePool {
	return SlurmNodePool{
		ID: uuidOf(p.ID), Name: p.Name, Type: p.Type, Count: p.Count, Nodes: rest.Translate(p.Nodes, wireSlurmNode),
	}
}

func wireSlurmNode(n cloud.SlurmNode) SlurmNode {
	return SlurmNode{
		Name: n.Name, InstanceID: uuidOf(n.InstanceID), SlurmdVersion: n.SlurmdVersion,
		States: append([]string{}, n.States...), // never null
	}
}

// poolsOfAll lists the node pools of several clusters, by id.
func poolsOfAll[C, P any](clusters []C, poolsOf func(C) []P, id func(P) string) []P {
	all := []P{}
	for _, cluster := range clusters {
		all = append(all, poolsOf(cluster)...)
	}
	slices.SortFunc(all, func(a, b P) int { return strings.Compare(id(a), id(b)) })
	return all
}
