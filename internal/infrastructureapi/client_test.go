package infrastructureapi_test

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/penstock-cloud/penstock/client/infrastructure"
)

// generatedClient is the public Go client, as an admin.
func (w *world) generatedClient() *infrastructure.ClientWithResponses {
	w.t.Helper()
	client, err := infrastructure.NewClientWithResponses("http://region.example.com"+base, infrastructure.WithHTTPClient(w.client),
		infrastructure.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+admin)
			return nil
		}))
	if err != nil {
		w.t.Fatal(err)
	}
	return client
}

// result is what the client made of an answer.
type result struct {
	status func() int
	good   bool // whether the client read from it what it should
}

// TestGeneratedClient calls every operation with the client that programs use.
func TestGeneratedClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client, ctx := w.generatedClient(), t.Context()
	id := uuid.MustParse
	project, name, kind := id(training), "new", "cpu.2x"
	cannot := func(r *infrastructure.NotImplemented) bool { return r != nil && r.Message != "" }
	calls := map[string]func() (result, error){
		"ListCapabilities": func() (result, error) {
			r, err := client.ListCapabilitiesWithResponse(ctx, nil)
			return result{r.StatusCode, slices.Contains(*r.JSON200, infrastructure.CapabilityInstancesCreate)}, err
		},
		"ListInstanceTypes": func() (result, error) {
			r, err := client.ListInstanceTypesWithResponse(ctx, nil)
			return result{r.StatusCode, (*r.JSON200)[1].GPUCount == 8 && (*r.JSON200)[1].OlderGPUCount == 8}, err
		},
		"ListCapacity": func() (result, error) {
			r, err := client.ListCapacityWithResponse(ctx, &infrastructure.ListCapacityParams{ProjectID: project})
			return result{r.StatusCode, (*r.JSON200)[0].Capacity == 40}, err
		},
		"ListProjects": func() (result, error) {
			r, err := client.ListProjectsWithResponse(ctx, nil)
			return result{r.StatusCode, (*r.JSON200)[0].ID == project}, err
		},
		"GetProject": func() (result, error) {
			r, err := client.GetProjectWithResponse(ctx, project, nil)
			return result{r.StatusCode, r.JSON200.Name == "training"}, err
		},
		"CreateProject": func() (result, error) {
			r, err := client.CreateProjectWithResponse(ctx, nil, infrastructure.CreateProjectRequest{Name: name})
			return result{r.StatusCode, r.JSON201.Name == name}, err
		},
		"DeleteProject": func() (result, error) {
			r, err := client.DeleteProjectWithResponse(ctx, id(empty), nil)
			return result{r.StatusCode, true}, err
		},
		"ListInstances": func() (result, error) {
			r, err := client.ListInstancesWithResponse(ctx, &infrastructure.ListInstancesParams{ProjectID: project})
			return result{r.StatusCode, len(*r.JSON200) > 2}, err
		},
		"GetInstance": func() (result, error) {
			r, err := client.GetInstanceWithResponse(ctx, id(sleeper), &infrastructure.GetInstanceParams{ProjectID: project})
			return result{r.StatusCode, *r.JSON200.IP == "10.20.0.3"}, err
		},
		"CreateInstance": func() (result, error) {
			r, err := client.CreateInstanceWithResponse(ctx, &infrastructure.CreateInstanceParams{ProjectID: project}, infrastructure.CreateInstanceRequest{Name: name, Type: kind})
			return result{r.StatusCode, r.JSON201.State == infrastructure.InstanceStateCreating && r.JSON201.IP == nil}, err
		},
		"StartInstance": func() (result, error) {
			r, err := client.StartInstanceWithResponse(ctx, id(sleeper), &infrastructure.StartInstanceParams{ProjectID: project})
			return result{r.StatusCode, len(r.Body) == 0}, err
		},
		"StopInstance": func() (result, error) {
			r, err := client.StopInstanceWithResponse(ctx, id(trainer), &infrastructure.StopInstanceParams{ProjectID: project})
			return result{r.StatusCode, len(r.Body) == 0}, err
		},
		"DeleteInstance": func() (result, error) {
			r, err := client.DeleteInstanceWithResponse(ctx, id(newcomer), &infrastructure.DeleteInstanceParams{ProjectID: project})
			return result{r.StatusCode, true}, err
		},
		"ListFilesystems": func() (result, error) {
			r, err := client.ListFilesystemsWithResponse(ctx, &infrastructure.ListFilesystemsParams{ProjectID: project})
			return result{r.StatusCode, (*r.JSON200)[0].Size == "512Gi"}, err
		},
		"GetFilesystem": func() (result, error) {
			r, err := client.GetFilesystemWithResponse(ctx, id(corpus), &infrastructure.GetFilesystemParams{ProjectID: project})
			return result{r.StatusCode, r.JSON200.Name == "corpus"}, err
		},
		"CreateFilesystem": func() (result, error) {
			r, err := client.CreateFilesystemWithResponse(ctx, &infrastructure.CreateFilesystemParams{ProjectID: project}, infrastructure.CreateFilesystemRequest{Name: name, Size: "10Gi"})
			return result{r.StatusCode, r.JSON201.Size == "10Gi"}, err
		},
		"DeleteFilesystem": func() (result, error) {
			r, err := client.DeleteFilesystemWithResponse(ctx, id(scratch), &infrastructure.DeleteFilesystemParams{ProjectID: project})
			return result{r.StatusCode, true}, err
		},
		"ListKubernetesClusters": func() (result, error) {
			r, err := client.ListKubernetesClustersWithResponse(ctx, &infrastructure.ListKubernetesClustersParams{ProjectID: project})
			return result{r.StatusCode, (*r.JSON200)[0].ID == id(notebooks)}, err
		},
		"GetKubernetesCluster": func() (result, error) {
			r, err := client.GetKubernetesClusterWithResponse(ctx, id(notebooks), &infrastructure.GetKubernetesClusterParams{ProjectID: project})
			return result{r.StatusCode, *r.JSON200.Endpoint == "https://10.30.0.10:6443"}, err
		},
		"CreateKubernetesCluster": func() (result, error) {
			r, err := client.CreateKubernetesClusterWithResponse(ctx, &infrastructure.CreateKubernetesClusterParams{ProjectID: project}, infrastructure.CreateKubernetesClusterRequest{Name: name})
			return result{r.StatusCode, cannot(r.JSON501)}, err
		},
		"DeleteKubernetesCluster": func() (result, error) {
			r, err := client.DeleteKubernetesClusterWithResponse(ctx, id(notebooks), &infrastructure.DeleteKubernetesClusterParams{ProjectID: project})
			return result{r.StatusCode, cannot(r.JSON501)}, err
		},
		"ListKubernetesNodePools": func() (result, error) {
			r, err := client.ListKubernetesNodePoolsWithResponse(ctx, id(notebooks), &infrastructure.ListKubernetesNodePoolsParams{ProjectID: project})
			return result{r.StatusCode, (*r.JSON200)[0].Nodes[0].State == infrastructure.KubernetesNodeStateReady}, err
		},
		"GetKubernetesNodePool": func() (result, error) {
			r, err := client.GetKubernetesNodePoolWithResponse(ctx, id(notebooks), id(notebooksGPU), &infrastructure.GetKubernetesNodePoolParams{ProjectID: project})
			return result{r.StatusCode, r.JSON200.Cluster == notebooks}, err
		},
		"CreateKubernetesNodePool": func() (result, error) {
			r, err := client.CreateKubernetesNodePoolWithResponse(ctx, id(notebooks), &infrastructure.CreateKubernetesNodePoolParams{ProjectID: project}, infrastructure.CreateKubernetesNodePoolRequest{Name: name, Type: kind, Count: 1})
			return result{r.StatusCode, cannot(r.JSON501)}, err
		},
		"DeleteKubernetesNodePool": func() (result, error) {
			r, err := client.DeleteKubernetesNodePoolWithResponse(ctx, id(notebooks), id(notebooksGPU), &infrastructure.DeleteKubernetesNodePoolParams{ProjectID: project})
			return result{r.StatusCode, cannot(r.JSON501)}, err
		},
		"GetKubernetesClusterCredentials": func() (result, error) {
			r, err := client.GetKubernetesClusterCredentialsWithResponse(ctx, id(notebooks), &infrastructure.GetKubernetesClusterCredentialsParams{ProjectID: project})
			return result{r.StatusCode, string(r.Body) == kubeconfig}, err
		},
		"ListAllKubernetesNodePools": func() (result, error) {
			r, err := client.ListAllKubernetesNodePoolsWithResponse(ctx, &infrastructure.ListAllKubernetesNodePoolsParams{ProjectID: project})
			return result{r.StatusCode, (*r.JSON200)[0].ID == id(notebooksGPU)}, err
		},
		"ListSlurmClusters": func() (result, error) {
			r, err := client.ListSlurmClustersWithResponse(ctx, &infrastructure.ListSlurmClustersParams{ProjectID: project})
			return result{r.StatusCode, (*r.JSON200)[0].LoginNodes[1].PublicIP == nil}, err
		},
		"GetSlurmCluster": func() (result, error) {
			r, err := client.GetSlurmClusterWithResponse(ctx, id(batch), &infrastructure.GetSlurmClusterParams{ProjectID: project})
			return result{r.StatusCode, *r.JSON200.LoginNodes[0].PublicIP == "192.0.2.10"}, err
		},
		"CreateSlurmCluster": func() (result, error) {
			r, err := client.CreateSlurmClusterWithResponse(ctx, &infrastructure.CreateSlurmClusterParams{ProjectID: project}, infrastructure.CreateSlurmClusterRequest{Name: name})
			return result{r.StatusCode, cannot(r.JSON501)}, err
		},
		"DeleteSlurmCluster": func() (result, error) {
			r, err := client.DeleteSlurmClusterWithResponse(ctx, id(batch), &infrastructure.DeleteSlurmClusterParams{ProjectID: project})
			return result{r.StatusCode, cannot(r.JSON501)}, err
		},
		"ListSlurmNodePools": func() (result, error) {
			r, err := client.ListSlurmNodePoolsWithResponse(ctx, id(batch), &infrastructure.ListSlurmNodePoolsParams{ProjectID: project})
			return result{r.StatusCode, (*r.JSON200)[0].Nodes[0].States[1] == "DRAIN"}, err
		},
		"GetSlurmNodePool": func() (result, error) {
			r, err := client.GetSlurmNodePoolWithResponse(ctx, id(batch), id(batchNodes), &infrastructure.GetSlurmNodePoolParams{ProjectID: project})
			return result{r.StatusCode, r.JSON200.Count == 2}, err
		},
		"CreateSlurmNodePool": func() (result, error) {
			r, err := client.CreateSlurmNodePoolWithResponse(ctx, id(batch), &infrastructure.CreateSlurmNodePoolParams{ProjectID: project}, infrastructure.CreateSlurmNodePoolRequest{Name: name, Type: kind, Count: 1})
			return result{r.StatusCode, cannot(r.JSON501)}, err
		},
		"DeleteSlurmNodePool": func() (result, error) {
			r, err := client.DeleteSlurmNodePoolWithResponse(ctx, id(batch), id(batchNodes), &infrastructure.DeleteSlurmNodePoolParams{ProjectID: project})
			return result{r.StatusCode, cannot(r.JSON501)}, err
		},
		"ListAllSlurmNodePools": func() (result, error) {
			r, err := client.ListAllSlurmNodePoolsWithResponse(ctx, &infrastructure.ListAllSlurmNodePoolsParams{ProjectID: project})
			return result{r.StatusCode, (*r.JSON200)[0].ID == id(batchNodes)}, err
		},
	}
	adminColumn := slices.IndexFunc(walkers, func(c caller) bool { return c.who == admin })
	for operation, call := range calls {
		got, err := call()
		if err != nil {
			t.Errorf("%s: %v", operation, err)
			continue
		}
		if want := walk[operation][adminColumn]; got.status() != want || !got.good {
			t.Errorf("%s: got status %d, as expected: %t; want status %d", operation, got.status(), got.good, want)
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(walk)), slices.Sorted(maps.Keys(calls))); diff != "" {
		t.Errorf("not every operation is called (-walk +calls):\n%s", diff)
	}
}
