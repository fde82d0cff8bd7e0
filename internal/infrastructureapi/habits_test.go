package infrastructureapi_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// TestLifeOfAnInstance polls as real clients do, and reads what they read, in
// the raw: nothing is missing, and nothing but ip and userData is null.
func TestLifeOfAnInstance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	type raw map[string]json.RawMessage
	data := base64.StdEncoding.EncodeToString([]byte("#cloud-config\nssh_authorized_keys:\n  - ssh-ed25519 AAAA\n"))
	var made raw
	w.call(editor, "POST", "/instances", `{"name":"new","type":"cpu.2x","userData":"`+data+`"}`).want(http.StatusCreated).into(&made)
	want := raw{
		"id": made["id"], "name": raw0(`"new"`), "type": raw0(`"cpu.2x"`), "ip": raw0(`null`), "state": raw0(`"creating"`),
		"image": raw0(`"image://ubuntu22.04"`), "preemptible": raw0(`false`), "ephemeral": raw0(`false`),
		"userData": raw0(`"` + data + `"`), "filesystems": raw0(`[]`), "tags": raw0(`{}`),
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Fatalf("the new instance is not as it should be (-want +got):\n%s", diff)
	}
	var id string
	if err := json.Unmarshal(made["id"], &id); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		state cloud.InstanceState
		ip    string
	}{
		{cloud.InstanceOutOfStock, ""},
		{cloud.InstanceStarting, "10.20.0.9"},
		{cloud.InstanceRunning, "10.20.0.9"},
	} {
		w.region.become(cloud.ID(id), step.state, step.ip)
		want["state"], want["ip"] = raw0(`"`+string(step.state)+`"`), raw0(`null`)
		if step.ip != "" {
			want["ip"] = raw0(`"` + step.ip + `"`)
		}
		var got raw
		w.get(editor, "/instances/"+id).want(http.StatusOK).into(&got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the instance is not as it should be (-want +got):\n%s", diff)
		}
	}
	if r := w.call(editor, "POST", "/instances/"+id+"/actions/stop", "", "Content-Type", "application/json").want(http.StatusAccepted); r.body != "" {
		t.Errorf("202 has the body %q", r.body)
	}
	w.region.become(cloud.ID(id), cloud.InstanceStopped, "10.20.0.9")
	w.call(editor, "POST", "/instances/"+id+"/actions/start", "").want(http.StatusAccepted)
	w.call(editor, "DELETE", "/instances/"+id, "").want(http.StatusNoContent)
	if r := w.get(editor, "/instances/"+id).want(http.StatusOK); !strings.Contains(r.body, `"deleting"`) {
		t.Errorf("got %s; want it deleting", r.body)
	}
	w.region.become(cloud.ID(id), "", "")
	w.get(editor, "/instances/"+id).want(http.StatusNotFound)
}

func raw0(text string) json.RawMessage { return json.RawMessage(text) }

// TestEmptyListsAreNotNull asks an empty project, and a region without
// anything.
func TestEmptyListsAreNotNull(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{
		"/instances", "/filesystems", "/kubernetes/clusters", "/kubernetes/node-pools", "/slurm/clusters", "/slurm/node-pools",
	} {
		if got := w.get(viewer, path, "X-PROJECT-ID", empty).want(http.StatusOK).body; got != "[]\n" {
			t.Errorf("%s: got %q", path, got)
		}
	}
	if got := w.get(viewer, "/projects/"+empty).want(http.StatusOK).body; !strings.Contains(got, `"tags":{}`) {
		t.Errorf("a project without tags: got %s", got)
	}
	w.region.projects = nil
	if got := w.get(viewer, "/projects").want(http.StatusOK).body; got != "[]\n" {
		t.Errorf("no projects: got %q", got)
	}
}

// TestNullIsAsIfLeftOut sends what clients send whose language has no absence.
func TestNullIsAsIfLeftOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	answers := map[string]bool{}
	for _, more := range []string{
		``,
		`,"image":null,"preemptible":null,"ephemeral":null,"userData":null,"filesystems":null,"tags":null`,
		`,"image":"image://ubuntu22.04","preemptible":false,"ephemeral":false,"filesystems":[],"tags":{}`,
		`,"something":"of a newer client"`,
	} {
		r := w.call(editor, "POST", "/instances", `{"name":"new","type":"cpu.2x"`+more+`}`, "Content-Type", "application/json; charset=utf-8").want(http.StatusCreated)
		var got map[string]any
		r.into(&got)
		delete(got, "id")
		text, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		answers[string(text)] = true
	}
	if len(answers) != 1 {
		t.Errorf("the same request has several answers: %v", answers)
	}
}

// TestRequestIsHandedOnWhole proves that nothing of a request is lost on its way.
func TestRequestIsHandedOnWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := `{"name":"new","type":"h100-sxm5-80gb.8x","image":"image://ubuntu24.04","preemptible":true,"ephemeral":true,` +
		`"userData":"AAAA","filesystems":["` + corpus + `","` + strings.ToUpper(scratch) + `"],"tags":{"a":"b"}}`
	w.call(editor, "POST", "/instances", body).want(http.StatusCreated)
	data := "AAAA"
	want := cloud.MachineSpec{
		Name: "new", Type: types()[1], Image: "image://ubuntu24.04", Preemptible: true, Ephemeral: true,
		UserData: &data, Filesystems: []cloud.ID{corpus, scratch}, Tags: cloud.Tags{"a": "b"},
	}
	if diff := cmp.Diff(want, w.region.machines[len(w.region.machines)-1].MachineSpec); diff != "" {
		t.Errorf("the region was asked for something else (-want +got):\n%s", diff)
	}
}

// TestUnchangedAnswersAreNotSentAgain asks for everything twice, the second time
// with the ETag of the first.
func TestUnchangedAnswersAreNotSentAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for operation, request := range examples {
		if request.method != http.MethodGet || operation == "GetKubernetesClusterCredentials" {
			continue
		}
		first := w.get(viewer, request.path).want(http.StatusOK)
		w.get(viewer, request.path, "If-None-Match", first.header.Get("ETag")).want(http.StatusNotModified)
		w.get(viewer, request.path, "If-None-Match", `"another"`).want(http.StatusOK)
	}
	first := w.get(viewer, "/instances/"+newcomer)
	w.region.become(newcomer, cloud.InstanceRunning, "10.20.0.9")
	w.get(viewer, "/instances/"+newcomer, "If-None-Match", first.header.Get("ETag")).want(http.StatusOK)
}
