package infrastructureapi_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// example is a request that an operation serves if its caller may, and if the
// region can.
type example struct{ method, path, body string }

var examples = map[string]example{
	"ListCapabilities":                {http.MethodGet, "/capabilities", ""},
	"ListInstanceTypes":               {http.MethodGet, "/instance-types", ""},
	"ListCapacity":                    {http.MethodGet, "/capacity", ""},
	"ListProjects":                    {http.MethodGet, "/projects", ""},
	"GetProject":                      {http.MethodGet, "/projects/" + training, ""},
	"CreateProject":                   {http.MethodPost, "/projects", `{"name":"new","tags":{"team":"vision"}}`},
	"DeleteProject":                   {http.MethodDelete, "/projects/" + empty, ""},
	"ListInstances":                   {http.MethodGet, "/instances", ""},
	"GetInstance":                     {http.MethodGet, "/instances/" + trainer, ""},
	"CreateInstance":                  {http.MethodPost, "/instances", `{"name":"new","type":"cpu.2x"}`},
	"StartInstance":                   {http.MethodPost, "/instances/" + sleeper + "/actions/start", ""},
	"StopInstance":                    {http.MethodPost, "/instances/" + trainer + "/actions/stop", ""},
	"DeleteInstance":                  {http.MethodDelete, "/instances/" + trainer, ""},
	"ListFilesystems":                 {http.MethodGet, "/filesystems", ""},
	"GetFilesystem":                   {http.MethodGet, "/filesystems/" + corpus, ""},
	"CreateFilesystem":                {http.MethodPost, "/filesystems", `{"name":"new","size":"10Gi"}`},
	"DeleteFilesystem":                {http.MethodDelete, "/filesystems/" + scratch, ""},
	"ListKubernetesClusters":          {http.MethodGet, "/kubernetes/clusters", ""},
	"GetKubernetesCluster":            {http.MethodGet, "/kubernetes/clusters/" + notebooks, ""},
	"CreateKubernetesCluster":         {http.MethodPost, "/kubernetes/clusters", `{"name":"new"}`},
	"DeleteKubernetesCluster":         {http.MethodDelete, "/kubernetes/clusters/" + notebooks, ""},
	"ListKubernetesNodePools":         {http.MethodGet, "/kubernetes/clusters/" + notebooks + "/node-pools", ""},
	"GetKubernetesNodePool":           {http.MethodGet, "/kubernetes/clusters/" + notebooks + "/node-pools/" + notebooksGPU, ""},
	"CreateKubernetesNodePool":        {http.MethodPost, "/kubernetes/clusters/" + notebooks + "/node-pools", `{"name":"new","type":"cpu.2x","count":1}`},
	"DeleteKubernetesNodePool":        {http.MethodDelete, "/kubernetes/clusters/" + notebooks + "/node-pools/" + notebooksGPU, ""},
	"GetKubernetesClusterCredentials": {http.MethodGet, "/kubernetes/clusters/" + notebooks + "/credentials", ""},
	"ListAllKubernetesNodePools":      {http.MethodGet, "/kubernetes/node-pools", ""},
	"ListSlurmClusters":               {http.MethodGet, "/slurm/clusters", ""},
	"GetSlurmCluster":                 {http.MethodGet, "/slurm/clusters/" + batch, ""},
	"CreateSlurmCluster":              {http.MethodPost, "/slurm/clusters", `{"name":"new"}`},
	"DeleteSlurmCluster":              {http.MethodDelete, "/slurm/clusters/" + batch, ""},
	"ListSlurmNodePools":              {http.MethodGet, "/slurm/clusters/" + batch + "/node-pools", ""},
	"GetSlurmNodePool":                {http.MethodGet, "/slurm/clusters/" + batch + "/node-pools/" + batchNodes, ""},
	"CreateSlurmNodePool":             {http.MethodPost, "/slurm/clusters/" + batch + "/node-pools", `{"name":"new","type":"cpu.2x","count":1}`},
	"DeleteSlurmNodePool":             {http.MethodDelete, "/slurm/clusters/" + batch + "/node-pools/" + batchNodes, ""},
	"ListAllSlurmNodePools":           {http.MethodGet, "/slurm/node-pools", ""},
}

// caller is somebody with the headers that they send, and what has become of
// the plane meanwhile.
type caller struct {
	who       string
	headers   []string
	away      bool // the plane is, and answered before
	forgotten bool // the plane is, and never answered
}

// walkers are the callers of the walk, in the order of the table's columns.
var walkers = []caller{
	{who: anonymous},
	{who: badToken},
	{who: viewer},
	{who: editor},
	{who: admin},
	{who: stranger, headers: []string{"X-ORG-ID", acme}},
	{who: stranger},
	{who: loner},
	{who: several},
	{who: viewer, away: true},
	{who: editor, away: true},
	{who: editor, away: true, forgotten: true},
}

// walk is who gets what. It is written down here a second time on purpose.
var walk = map[string][12]int{
	// anonymous, bad token, viewer, editor, admin, stranger, at home, loner, several, viewer and editor with the plane away, never seen
	"ListCapabilities":                {401, 401, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200},
	"ListInstanceTypes":               {401, 401, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200},
	"ListCapacity":                    {401, 401, 200, 200, 200, 403, 404, 403, 400, 200, 200, 503},
	"ListProjects":                    {401, 401, 200, 200, 200, 403, 200, 403, 400, 200, 200, 503},
	"GetProject":                      {401, 401, 200, 200, 200, 403, 404, 403, 400, 200, 200, 503},
	"CreateProject":                   {401, 401, 403, 201, 201, 403, 201, 403, 400, 503, 503, 503},
	"DeleteProject":                   {401, 401, 403, 204, 204, 403, 404, 403, 400, 503, 503, 503},
	"ListInstances":                   {401, 401, 200, 200, 200, 403, 404, 403, 400, 200, 200, 503},
	"GetInstance":                     {401, 401, 200, 200, 200, 403, 404, 403, 400, 200, 200, 503},
	"CreateInstance":                  {401, 401, 403, 201, 201, 403, 404, 403, 400, 503, 503, 503},
	"StartInstance":                   {401, 401, 403, 202, 202, 403, 404, 403, 400, 503, 503, 503},
	"StopInstance":                    {401, 401, 403, 202, 202, 403, 404, 403, 400, 403, 202, 503},
	"DeleteInstance":                  {401, 401, 403, 204, 204, 403, 404, 403, 400, 503, 503, 503},
	"ListFilesystems":                 {401, 401, 200, 200, 200, 403, 404, 403, 400, 200, 200, 503},
	"GetFilesystem":                   {401, 401, 200, 200, 200, 403, 404, 403, 400, 200, 200, 503},
	"CreateFilesystem":                {401, 401, 403, 201, 201, 403, 404, 403, 400, 503, 503, 503},
	"DeleteFilesystem":                {401, 401, 403, 204, 204, 403, 404, 403, 400, 503, 503, 503},
	"ListKubernetesClusters":          {401, 401, 200, 200, 200, 403, 404, 403, 400, 200, 200, 503},
	"GetKubernetesCluster":            {401, 401, 200, 200, 200, 403, 404, 403, 400, 200, 200, 503},
	"CreateKubernetesCluster":         {401, 401, 403, 501, 501, 403, 404, 403, 400, 503, 503, 503},
	"DeleteKubernetesCluster":         {401, 401, 403, 501, 501, 403, 404, 403, 400, 503, 503, 503},
	"ListKubernetesNodePools":         {401, 401, 200, 200, 200, 403, 404, 403, 400, 200, 200, 503},
	"GetKubernetesNodePool":           {401, 401, 200, 200, 200, 403, 404, 403, 400, 200, 200, 503},
	"CreateKubernetesNodePool":        {401, 401, 403, 501, 501, 403, 404, 403, 400, 503, 503, 503},
	"DeleteKubernetesNodePool":        {401, 401, 403, 501, 501, 403, 404, 403, 400, 503, 503, 503},
	"GetKubernetesClusterCredentials": {401, 401, 403, 200, 200, 403, 404, 403, 400, 503, 503, 503},
	"ListAllKubernetesNodePools":      {401, 401, 200, 200, 200, 403, 404, 403, 400, 200, 200, 503},
	"ListSlurmClusters":               {401, 401, 200, 200, 200, 403, 404, 403, 400, 200, 200, 503},
	"GetSlurmCluster":                 {401, 401, 200, 200, 200, 403, 404, 403, 400, 200, 200, 503},
	"CreateSlurmCluster":              {401, 401, 403, 501, 501, 403, 404, 403, 400, 503, 503, 503},
	"DeleteSlurmCluster":              {401, 401, 403, 501, 501, 403, 404, 403, 400, 503, 503, 503},
	"ListSlurmNodePools":              {401, 401, 200, 200, 200, 403, 404, 403, 400, 200, 200, 503},
	"GetSlurmNodePool":                {401, 401, 200, 200, 200, 403, 404, 403, 400, 200, 200, 503},
	"CreateSlurmNodePool":             {401, 401, 403, 501, 501, 403, 404, 403, 400, 503, 503, 503},
	"DeleteSlurmNodePool":             {401, 401, 403, 501, 501, 403, 404, 403, 400, 503, 503, 503},
	"ListAllSlurmNodePools":           {401, 401, 200, 200, 200, 403, 404, 403, 400, 200, 200, 503},
}

// TestWalk calls every operation of the router as everybody, and proves that
// who is refused, or only reads, changes nothing in the region.
func TestWalk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	routed := map[string]bool{}
	for _, operation := range w.api.Routed() {
		routed[operation.ID] = true
	}
	for name, table := range map[string][]string{"walk": slices.Sorted(maps.Keys(walk)), "examples": slices.Sorted(maps.Keys(examples))} {
		if diff := cmp.Diff(slices.Sorted(maps.Keys(routed)), table); diff != "" {
			t.Fatalf("the table %s does not have the router's operations (-router +table):\n%s", name, diff)
		}
	}
	for _, operation := range slices.Sorted(maps.Keys(walk)) {
		for i, caller := range walkers {
			request, want := examples[operation], walk[operation][i]
			changes := want < 300 && request.method != http.MethodGet
			if changes {
				w = newWorld(t)
			}
			w.region.away, w.region.forgotten = caller.away, caller.forgotten
			before := w.region.dump()
			r := w.call(caller.who, request.method, request.path, request.body, caller.headers...).want(want)
			if after := w.region.dump(); changes == (after == before) {
				t.Errorf("%s: %d; a change was expected: %t; and it was this one:\n%s", r.what, r.status, changes, cmp.Diff(before, after))
			}
			if changes {
				w = newWorld(t)
			}
		}
	}
}
