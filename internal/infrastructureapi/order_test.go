package infrastructureapi_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOrderOfChecks sends requests with several things wrong, and proves that
// the first check to fail is the one that answers.
func TestOrderOfChecks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.region.dump()
	none, bad := []string{"X-PROJECT-ID", ""}, []string{"X-ORG-ID", "acme", "X-PROJECT-ID", "training"}
	huge := `{"name":"` + strings.Repeat("x", 2<<20) + `"}`
	for _, c := range []struct {
		who, method, path, body string
		headers                 []string
		want                    int
		says                    string
	}{
		// The path and the method, before anybody asks who is calling.
		{badToken, "POST", "/nothing", "{", bad, 404, "no such path"},
		{anonymous, "GET", "/instances/a/b", "", bad, 404, "no such path"},
		{anonymous, "GET", "//instances", "", bad, 404, "no such path"},
		{anonymous, "PUT", "/instances", "{", bad, 405, "use GET, HEAD, POST"},
		// The token, before anything else is read.
		{anonymous, "GET", "/instances", "", bad, 401, "send a token"},
		{anonymous, "POST", "/instances", huge, none, 401, "send a token"},
		{badToken, "GET", "/instances/x", "", none, 401, "signature"},
		{badToken, "POST", "/slurm/clusters", "{", bad, 401, "signature"},
		// X-ORG-ID, then X-PROJECT-ID.
		{loner, "GET", "/instances", "", bad, 400, "header X-ORG-ID"},
		{viewer, "GET", "/projects", "", []string{"X-ORG-ID", "acme"}, 400, "header X-ORG-ID"},
		{viewer, "GET", "/capabilities", "", []string{"X-ORG-ID", "acme"}, 400, "header X-ORG-ID"},
		{stranger, "POST", "/instances", "{", []string{"X-ORG-ID", acme, "X-PROJECT-ID", ""}, 400, "header X-PROJECT-ID is required"},
		{viewer, "POST", "/instances", huge, []string{"X-PROJECT-ID", "training"}, 400, "header X-PROJECT-ID"},
		{viewer, "DELETE", "/filesystems/x", "", none, 400, "GET /projects"},
		// The organization and the role, then the project.
		{stranger, "POST", "/instances", "{", []string{"X-ORG-ID", acme, "X-PROJECT-ID", nobody}, 403, "you do not belong"},
		{several, "POST", "/instances", "{", []string{"X-PROJECT-ID", nobody}, 400, "several organizations"},
		{viewer, "POST", "/instances", huge, []string{"X-PROJECT-ID", nobody}, 403, "role editor"},
		{viewer, "POST", "/kubernetes/clusters", "{", nil, 403, "role editor"},
		{editor, "POST", "/instances", "{", []string{"X-PROJECT-ID", nobody}, 404, "no project"},
		{editor, "DELETE", "/slurm/clusters/x", "", []string{"X-PROJECT-ID", rendering}, 404, "no project"},
		// Parameters and body, before the object and what the region cannot do.
		{editor, "POST", "/instances", huge, nil, 413, "1048576 bytes"},
		{editor, "POST", "/kubernetes/clusters/" + nobody + "/node-pools", "{", nil, 400, "JSON"},
		{editor, "DELETE", "/kubernetes/clusters/notebooks", "", nil, 400, "path id"},
		{viewer, "GET", "/slurm/clusters/" + batch + "/node-pools/x", "", nil, 400, "path node_pool_id"},
		// The object, before the state of things.
		{editor, "POST", "/instances/" + foreign + "/actions/start", "", nil, 404, "no instance"},
		{editor, "POST", "/instances/" + newcomer + "/actions/start", "", nil, 409, "creating"},
		{editor, "DELETE", "/projects/" + training, "", nil, 409, "3 instances"},
		{editor, "DELETE", "/filesystems/" + corpus, "", nil, 409, "an instance has"},
	} {
		r := w.call(c.who, c.method, c.path, c.body, c.headers...).want(c.want).says(c.says)
		if c.want == http.StatusMethodNotAllowed && r.header.Get("Allow") == "" {
			t.Errorf("%s: 405 without Allow", r.what)
		}
		if c.want == http.StatusUnauthorized && !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Bearer ") {
			t.Errorf("%s: 401 with the challenge %q", r.what, r.header.Get("WWW-Authenticate"))
		}
	}
	if after := w.region.dump(); after != before {
		t.Errorf("refused, and yet the region changed:\n%s", cmp.Diff(before, after))
	}
}

// TestNobodyCanTellWhileKeysAreAway proves that a region that cannot verify a
// token says so, and not that the token is wrong.
func TestNobodyCanTellWhileKeysAreAway(t *testing.T) {
	t.Parallel()
	r := newWorldWith(t, tokens{away: true}).get(viewer, "/instances").want(http.StatusServiceUnavailable)
	if r.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
}

// TestProjectIsRequiredWhereTheFactsSayIt leaves the header out of every
// operation.
func TestProjectIsRequiredWhereTheFactsSayIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	needless := []string{"ListCapabilities", "ListInstanceTypes", "ListProjects", "CreateProject", "GetProject", "DeleteProject"}
	for operation, request := range examples {
		if slices.Contains(needless, operation) {
			for _, project := range []string{"", "training", nobody} {
				w := newWorld(t)
				w.call(admin, request.method, request.path, request.body, "X-PROJECT-ID", project).want(walk[operation][4])
			}
			continue
		}
		w.call(admin, request.method, request.path, request.body, "X-PROJECT-ID", "").want(http.StatusBadRequest).says("X-PROJECT-ID is required")
		for _, malformed := range []string{" ", "training", training + "0", "{" + training + "}"} {
			w.call(admin, request.method, request.path, request.body, "X-PROJECT-ID", malformed).want(http.StatusBadRequest).says("header X-PROJECT-ID")
		}
	}
	w.get(viewer, "/instances", "X-PROJECT-ID", strings.ToUpper(training)).want(http.StatusOK)
}

// TestForeignThingsLookLikeNone proves that nobody can find out what others
// have.
func TestForeignThingsLookLikeNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, pair := range []struct{ method, theirs, none string }{
		{"GET", "/projects/" + rendering, "/projects/" + nobody},
		{"DELETE", "/projects/" + rendering, "/projects/" + nobody},
		{"GET", "/instances/" + foreign, "/instances/" + nobody},
		{"DELETE", "/instances/" + foreign, "/instances/" + nobody},
		{"GET", "/filesystems/" + textures, "/filesystems/" + nobody},
		{"GET", "/kubernetes/clusters/" + foreignKube, "/kubernetes/clusters/" + nobody},
		{"GET", "/kubernetes/clusters/" + foreignKube + "/node-pools", "/kubernetes/clusters/" + nobody + "/node-pools"},
		{"GET", "/kubernetes/clusters/" + foreignKube + "/credentials", "/kubernetes/clusters/" + nobody + "/credentials"},
		{"GET", "/slurm/clusters/" + foreignSlurm, "/slurm/clusters/" + nobody},
		{"GET", "/slurm/clusters/" + batch, "/slurm/clusters/" + nobody},
	} {
		project := training
		if pair.theirs == "/slurm/clusters/"+batch { // which is training's, and not empty's
			project = empty
		}
		theirs := w.call(admin, pair.method, pair.theirs, "", "X-PROJECT-ID", project).want(http.StatusNotFound)
		if none := w.call(admin, pair.method, pair.none, "", "X-PROJECT-ID", project); theirs.String() != none.String() {
			t.Errorf("%s: the answers differ:\n%s\n%s", theirs.what, theirs, none)
		}
	}
	theirs, none := w.get(admin, "/instances", "X-PROJECT-ID", rendering).want(404), w.get(admin, "/instances", "X-PROJECT-ID", nobody)
	if theirs.String() != none.String() {
		t.Errorf("a foreign project differs from none:\n%s\n%s", theirs, none)
	}
	for _, list := range slices.Sorted(maps.Keys(map[string]bool{"/kubernetes/clusters": true, "/kubernetes/node-pools": true, "/slurm/clusters": true, "/slurm/node-pools": true})) {
		if got := w.get(admin, list, "X-PROJECT-ID", empty).want(200).body; got != "[]\n" {
			t.Errorf("%s of another project of the organization: got %s", list, got)
		}
	}
}
