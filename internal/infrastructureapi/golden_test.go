package infrastructureapi_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/rest/resttest"
)

// String is the answer as the golden files have it.
func (r reply) String() string { return resttest.Answer(r.status, r.header, r.body) }

// TestGoldenAnswers holds the answer of every operation.
func TestGoldenAnswers(t *testing.T) {
	t.Parallel()
	for operation, request := range examples {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			r := newWorld(t).call(admin, request.method, request.path, request.body)
			resttest.Golden(t, filepath.Join("testdata", operation+".golden"),
				fmt.Sprintf("%s %s\n%s\n%s", request.method, base+request.path, request.body, r))
		})
	}
}

// TestWrongInput holds what callers get to read who did something wrong: a
// line for each, to be read as a whole. Nothing half-made stays behind.
func TestWrongInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.region.dump()
	var out strings.Builder
	instance := func(more string) string { return `{"name":"new","type":"cpu.2x",` + more + `}` }
	for _, c := range []struct {
		method, path, body string
		headers            []string
	}{
		{"GET", "/instancez", "", nil},
		{"PATCH", "/instances/" + trainer, "{}", nil},
		{"GET", "/instances", "", []string{"X-PROJECT-ID", ""}},
		{"GET", "/instances", "", []string{"X-PROJECT-ID", "training"}},
		{"GET", "/instances", "", []string{"X-PROJECT-ID", nobody}},
		{"GET", "/instances", "", []string{"X-ORG-ID", "acme"}},
		{"GET", "/instances", "", []string{"X-ORG-ID", globex}},
		{"GET", "/instances/trainer", "", nil},
		{"GET", "/instances/" + nobody, "", nil},
		{"POST", "/projects", "", nil},
		{"POST", "/projects", `{}`, nil},
		{"POST", "/projects", `{"name":""}`, nil},
		{"POST", "/projects", `{"name":7}`, nil},
		{"POST", "/projects", `{"name":"new","tags":{"-":"x"}}`, nil},
		{"POST", "/projects", `{"name":"new","tags":{"team":7}}`, nil},
		{"POST", "/projects", `{"name":"new","tags":["team"]}`, nil},
		{"POST", "/projects", `{"name":"new"}`, []string{"Content-Type", "text/plain"}},
		{"POST", "/projects", `{"name":"new"}{}`, nil},
		{"POST", "/instances", `null`, nil},
		{"POST", "/instances", `{"name":"new"}`, nil},
		{"POST", "/instances", `{"type":"cpu.2x"}`, nil},
		{"POST", "/instances", `{"name":"new","type":"cpu.3x"}`, nil},
		{"POST", "/instances", instance(`"image":"image://beos"`), nil},
		{"POST", "/instances", instance(`"preemptible":"yes"`), nil},
		{"POST", "/instances", instance(`"userData":"#cloud-config"`), nil},
		{"POST", "/instances", instance(`"userData":{}`), nil},
		{"POST", "/instances", instance(`"filesystems":["corpus"]`), nil},
		{"POST", "/instances", instance(`"filesystems":["` + textures + `"]`), nil},
		{"POST", "/instances", instance(`"tags":{"team":null}`), nil},
		{"POST", "/instances/" + trainer + "/actions/start", "", nil},
		{"POST", "/instances/" + sleeper + "/actions/stop", "", nil},
		{"POST", "/instances/" + trainer + "/actions/restart", "", nil},
		{"POST", "/filesystems", `{"name":"new"}`, nil},
		{"POST", "/filesystems", `{"name":"new","size":"lots"}`, nil},
		{"POST", "/filesystems", `{"name":"new","size":512}`, nil},
		{"DELETE", "/filesystems/" + corpus, "", nil},
		{"DELETE", "/projects/" + training, "", nil},
		{"GET", "/kubernetes/clusters/" + notebooks + "/node-pools/" + nobody, "", nil},
		{"GET", "/kubernetes/clusters/" + bare + "/credentials", "", nil},
		{"POST", "/kubernetes/clusters", `{}`, nil},
		{"POST", "/kubernetes/clusters", `{"name":"new"}`, nil},
		{"POST", "/slurm/clusters/" + batch + "/node-pools", `{"name":"new","type":"cpu.2x","count":-1}`, nil},
		{"POST", "/slurm/clusters", `{"name":"new"}`, nil},
	} {
		r := w.call(admin, c.method, c.path, c.body, c.headers...)
		fmt.Fprintf(&out, "%s %s", c.method, c.path)
		for pair := range slices.Chunk(c.headers, 2) {
			fmt.Fprintf(&out, ", %s: %s", pair[0], pair[1])
		}
		if c.body != "" {
			fmt.Fprintf(&out, ", %s", c.body)
		}
		fmt.Fprintf(&out, "\n\t%d %s\n", r.status, r.message())
		if r.status < 400 {
			t.Errorf("%s was not refused", r.what)
		}
	}
	w.call(admin, "POST", "/instances", instance(`"userData":"`+strings.Repeat("AAAA", 64<<10/3+1)+`"`)).want(400).says("64 KiB")
	if after := w.region.dump(); after != before {
		t.Errorf("refused, and yet the region changed:\n%s", cmp.Diff(before, after))
	}
	resttest.Golden(t, filepath.Join("testdata", "refusals.golden"), out.String())
}
