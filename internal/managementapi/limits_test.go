package managementapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/penstock-cloud/penstock/internal/rest"
)

// TestBodiesAreBounded sends bodies of exactly the bound and of a byte more.
func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withoutNetwork()
	padded := func(body string, size int) string {
		return body[:len(body)-1] + strings.Repeat(" ", size-len(body)) + "}"
	}
	before := w.dump()
	for _, operation := range []string{"UpdateMember", "CreateInvitation", "RegisterKey"} {
		request := examples[operation]
		for _, size := range []int{rest.MaxBody + 1, 3 * rest.MaxBody} {
			w.call(admin, request.method, request.path, padded(request.body, size)).
				want(http.StatusRequestEntityTooLarge).says("at most 1048576 bytes")
		}
		long := request.body[:len(request.body)-1] + `,"x":"` + strings.Repeat("x", rest.MaxBody) + `"}`
		w.call(admin, request.method, request.path, long).want(http.StatusRequestEntityTooLarge)
	}
	if w.dump() != before {
		t.Error("a body that is too long changed the database")
	}
	for _, operation := range []string{"UpdateMember", "CreateInvitation", "RegisterKey"} {
		request := examples[operation]
		if r := w.call(admin, request.method, request.path, padded(request.body, rest.MaxBody)); r.status >= 300 {
			t.Errorf("%s: %d %s with a body of exactly the bound", r.what, r.status, r.body)
		}
	}
}

// TestUnusedBodiesAreLeftAlone proves that a body does no harm where none is
// asked for.
func TestUnusedBodiesAreLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withoutNetwork()
	w.call(viewer, "GET", "/instances", "{").want(http.StatusOK)
	w.call(viewer, "GET", "/user", strings.Repeat("x", 2*rest.MaxBody)).want(http.StatusOK)
	w.call(admin, "DELETE", memberPath(guest), "{").want(http.StatusNoContent)
}
