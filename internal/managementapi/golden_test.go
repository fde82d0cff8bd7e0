package managementapi_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/rest/resttest"
)

// secrets are what no two worlds have in common.
var secrets = regexp.MustCompile(`"(secret|token)": "(pss_|eyJ)[^"]+"`)

// String is the answer as the golden files have it.
func (r reply) String() string { return resttest.Answer(r.status, r.header, r.body) }

// TestGoldenAnswers holds the answer of every operation.
func TestGoldenAnswers(t *testing.T) {
	t.Parallel()
	for operation, request := range examples {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			r := newWorld(t).call(asks(operation), request.method, request.path, request.body)
			resttest.Golden(t, filepath.Join("testdata", operation+".golden"),
				fmt.Sprintf("%s %s\n%s\n%s", request.method, base+request.path, request.body, secrets.ReplaceAllString(r.String(), `"$1": "$2…"`)))
		})
	}
}

// TestGoldenRefusals holds what callers get to read who did something wrong: a
// line for each, to be read as a whole.
func TestGoldenRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.dump()
	var out strings.Builder
	for _, c := range []struct {
		who, method, path, body string
		headers                 []string
	}{
		{admin, "GET", "/regionz", "", nil},
		{admin, "GET", "/regions/", "", nil},
		{admin, "POST", "/regions", "", nil},
		{admin, "PUT", "/members/" + string(userIDs[guest]), "", nil},
		{anonymous, "GET", "/regions", "", nil},
		{anonymous, "GET", "/regions", "", []string{"Authorization", "Basic YTpi"}},
		{badToken, "GET", "/regions", "", nil},
		{several, "GET", "/instances", "", nil},
		{several, "GET", "/instances", "", []string{"X-ORG-ID", "acme"}},
		{several, "GET", "/instances", "", []string{"X-ORG-ID", nobody}},
		{stranger, "GET", "/instances", "", []string{"X-ORG-ID", acme}},
		{bound, "GET", "/instances", "", []string{"X-ORG-ID", globex}},
		{loner, "GET", "/instances", "", nil},
		{viewer, "POST", "/invitations", `{"email":"new@example.com"}`, nil},
		{editor, "DELETE", "/members/" + string(userIDs[guest]), "", nil},
		{viewer, "GET", "/instances?limit=0", "", nil},
		{viewer, "GET", "/instances?limit=1001", "", nil},
		{viewer, "GET", "/instances?limit=ten", "", nil},
		{viewer, "GET", "/instances?cursor=%21", "", nil},
		{viewer, "GET", "/instances", "", []string{"X-PROJECT-ID", "training"}},
		{viewer, "GET", "/instances/trainer-01", "", nil},
		{viewer, "GET", "/instances/" + nobody, "", nil},
		{admin, "PATCH", "/members/" + string(userIDs[guest]), "", nil},
		{admin, "PATCH", "/members/" + string(userIDs[guest]), `{}`, nil},
		{admin, "PATCH", "/members/" + string(userIDs[guest]), `null`, nil},
		{admin, "PATCH", "/members/" + string(userIDs[guest]), `[]`, nil},
		{admin, "PATCH", "/members/" + string(userIDs[guest]), `{"role":"king"}`, nil},
		{admin, "PATCH", "/members/" + string(userIDs[guest]), `{"role":null}`, nil},
		{admin, "PATCH", "/members/" + string(userIDs[guest]), `{"role":1}`, nil},
		{admin, "PATCH", "/members/" + string(userIDs[guest]), `{"role":"viewer"`, nil},
		{admin, "PATCH", "/members/" + string(userIDs[guest]), `{"role":"viewer"}`, []string{"Content-Type", "text/plain"}},
		{admin, "PATCH", "/members/" + nobody, `{"role":"viewer"}`, nil},
		{admin, "PATCH", "/members/" + string(userIDs[admin]), `{"role":"viewer"}`, nil},
		{admin, "DELETE", "/members/" + string(userIDs[admin]), "", nil},
		{admin, "POST", "/invitations", `{}`, nil},
		{admin, "POST", "/invitations", `{"email":"Tomas"}`, nil},
		{admin, "POST", "/invitations", `{"email":"new@example.com","role":"king"}`, nil},
		{admin, "POST", "/invitations", `{"email":"Tomas@Example.com"}`, nil},
		{admin, "POST", "/invitations", `{"email":"VIEWER@example.com"}`, nil},
		{admin, "POST", "/invitations", `{"email":"new@example.com"}`, []string{"Idempotency-Key", strings.Repeat("x", 256)}},
		{admin, "DELETE", "/invitations/" + nobody, "", nil},
		{admin, "POST", "/user/keys", `{"name":"desktop"}`, nil},
		{admin, "POST", "/user/keys", `{"name":"my key","key":"` + publicKey("desktop") + `"}`, nil},
		{admin, "POST", "/user/keys", `{"name":"desktop","key":"secret"}`, nil},
		{admin, "POST", "/user/keys", `{"name":"laptop","key":"` + publicKey("desktop") + `"}`, nil},
		{admin, "POST", "/user/keys", `{"name":"desktop","key":"` + publicKey(admin) + `"}`, nil},
		{admin, "DELETE", "/user/keys/desktop", "", nil},
		{bound, "POST", "/organizations", `{"display_name":"Tidal Labs"}`, nil},
		{admin, "POST", "/organizations", `{"display_name":" Tidal"}`, nil},
		{admin, "PATCH", "/organizations/" + globex, `{"display_name":"Mine"}`, nil},
		{admin, "PATCH", "/organizations/acme", `{"display_name":"Mine"}`, nil},
		{admin, "PATCH", "/organizations/" + acme, `{}`, nil},
		{admin, "PATCH", "/organizations/" + acme, `{"display_name":""}`, nil},
		{admin, "DELETE", "/user/organizations/" + acme, "", nil},
		{loner, "DELETE", "/user/organizations/" + acme, "", nil},
		{admin, "POST", "/invitations", `{"email":"ci@acme.service.invalid"}`, nil},
		{admin, "POST", "/invitations/" + nobody + "/resend", "", nil},
		{admin, "POST", "/invitations/accept", `{}`, nil},
		{admin, "POST", "/invitations/accept", `{"id":"` + ownInvitation + `","token":"x"}`, nil},
		{admin, "POST", "/invitations/accept", `{"token":"x"}`, nil},
		{admin, "POST", "/invitations/accept", `{"id":"` + pendingInvitation + `"}`, nil},
		{bound, "POST", "/invitations/accept", `{"id":"` + ownInvitation + `"}`, nil},
		{editor, "GET", "/audit", "", nil},
		{admin, "GET", "/audit?since=yesterday", "", nil},
		{admin, "GET", "/audit?since=2026-03-02T00:00:00Z&until=2026-03-02T00:00:00Z", "", nil},
		{admin, "GET", "/audit?actor=", "", nil},
		{admin, "GET", "/audit?action=" + strings.Repeat("x", 256), "", nil},
		{admin, "GET", "/audit?target=%00", "", nil},
	} {
		r := w.call(c.who, c.method, c.path, c.body, c.headers...)
		fmt.Fprintf(&out, "%s %s as %s", c.method, c.path, or(c.who, "anonymous"))
		for pair := range slices.Chunk(c.headers, 2) {
			fmt.Fprintf(&out, ", %s: %.40s", pair[0], pair[1])
		}
		if c.body != "" {
			fmt.Fprintf(&out, ", %s", c.body)
		}
		fmt.Fprintf(&out, "\n\t%d %s\n", r.status, r.message())
		if r.status < 400 {
			t.Errorf("%s was not refused", r.what)
		}
	}
	if after := w.dump(); after != before {
		t.Errorf("refused, and yet the database changed:\n%s", cmp.Diff(before, after))
	}
	resttest.Golden(t, filepath.Join("testdata", "refusals.golden"), out.String())
}
