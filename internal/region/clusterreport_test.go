package region_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/region"
)

var errProbed = errors.New("the probes began")

// show declares clusters and returns once they would be probed.
func (w *world) show(kubernetes ...cloud.KubernetesCluster) {
	w.t.Helper()
	slurm := []cloud.SlurmCluster{{ID: numbered(50), OrganizationID: organization, ProjectID: project, Name: "batch"}}
	declared, err := region.NewDeclaredClusters(region.DeclaredConfig{Kubernetes: kubernetes, Slurm: slurm})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.ShowClusters(w.t.Context(), declared, func(context.Context) error { return errProbed }); !errors.Is(err, errProbed) {
		w.t.Fatalf("got %v; want the probes to begin", err)
	}
}

func declaredKubernetes(n int, name string) cloud.KubernetesCluster {
	return cloud.KubernetesCluster{ID: numbered(n), OrganizationID: organization, ProjectID: project, Name: name}
}

// downs tells which clusters are reported, and whether they are down.
func (w *world) downs() map[cloud.ID]bool {
	w.t.Helper()
	downs := map[cloud.ID]bool{}
	for _, o := range w.state().Objects {
		report, err := cloud.ParseClusterReport(o.Body)
		if err != nil {
			w.t.Fatal(err)
		}
		downs[o.ID] = report.Down
	}
	return downs
}

func TestDeclaredClustersAreReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.show(declaredKubernetes(51, "training"), declaredKubernetes(52, "serving"))
	if d := cmp.Diff(map[cloud.ID]bool{numbered(50): false, numbered(51): false, numbered(52): false}, w.downs()); d != "" {
		t.Errorf("declared (-want +got):\n%s", d)
	}
	if got := w.Sources(); len(got) != 0 {
		t.Errorf("heard of %v; nobody answered yet", got)
	}

	for id, down := range map[cloud.ID]bool{numbered(50): false, numbered(51): true} {
		if err := w.ClusterAnswered(t.Context(), id, down); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.Sources(); len(got) != 2 {
		t.Errorf("heard of %v; want the two that answered", got)
	}
	if err := w.ClusterAnswered(t.Context(), numbered(59), true); cloud.CodeOf(err) != cloud.CodeNotFound {
		t.Errorf("an answer of one that is not declared: got %v", err)
	}

	before := w.state()
	w.show(declaredKubernetes(51, "training"), declaredKubernetes(52, "serving")) // as at the next start
	if after := w.state(); after.ID.Seq != before.ID.Seq {
		t.Errorf("seq went from %d to %d; nothing changed", before.ID.Seq, after.ID.Seq)
	}
	w.show(declaredKubernetes(51, "training"))
	if d := cmp.Diff(map[cloud.ID]bool{numbered(50): false, numbered(51): true}, w.downs()); d != "" {
		t.Errorf("with one declared no more (-want +got):\n%s", d)
	}
}
