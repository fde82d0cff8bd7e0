package managementapi_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestOrderOfChecks sends requests with several things wrong, and proves that
// the first check to fail is the one that answers.
func TestOrderOfChecks(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withoutNetwork()
	member, badOrg, otherOrg := "/members/"+string(userIDs[guest]), []string{"X-ORG-ID", "acme"}, []string{"X-ORG-ID", acme}
	huge := `{"role":"` + strings.Repeat("x", 2<<20) + `"}`
	for _, c := range []struct {
		who, method, path, body string
		headers                 []string
		want                    int
		says                    string
	}{
		// The path and the method, before anybody asks who is calling.
		{badToken, "POST", "/nothing", "{", badOrg, 404, "no such path"},
		{anonymous, "GET", "/members/a/b?limit=x", "", badOrg, 404, "no such path"},
		{anonymous, "PUT", member, "{", badOrg, 405, "use DELETE, PATCH"},
		{viewer, "POST", "/instances", "{", badOrg, 405, "use GET, HEAD"},
		// The token, before anything else is read.
		{anonymous, "GET", "/instances?limit=x", "", badOrg, 401, "send a token"},
		{badToken, "GET", "/instances/x", "", badOrg, 401, "signature"},
		{anonymous, "PATCH", member, "{", badOrg, 401, "send a token"},
		{anonymous, "PATCH", member, huge, nil, 401, "send a token"},
		{badToken, "POST", "/user/keys", "", []string{"Content-Type", "text/plain"}, 401, "signature"},
		// The organization, before the role.
		{viewer, "PATCH", member, "{", badOrg, 400, "X-ORG-ID"},
		{stranger, "PATCH", member, "{", otherOrg, 403, "you do not belong"},
		{several, "DELETE", member, "", nil, 400, "several organizations"},
		{several, "GET", "/instances?limit=x", "", nil, 400, "several organizations"},
		{loner, "POST", "/invitations", "{", nil, 403, "no organization"},
		{bound, "POST", "/invitations", "{", []string{"X-ORG-ID", globex}, 403, "you do not belong"},
		{stranger, "PATCH", "/organizations/" + acme, "{", badOrg, 404, "no organization of that id"},
		{stranger, "DELETE", "/user/organizations/x", "", badOrg, 404, "no organization of that id"},
		// The role, before parameters and body.
		{viewer, "PATCH", member, "{", nil, 403, "role admin"},
		{viewer, "PATCH", member, huge, nil, 403, "role admin"},
		{editor, "POST", "/invitations", `{"email":7}`, []string{"Idempotency-Key", strings.Repeat("x", 300)}, 403, "role admin"},
		{editor, "DELETE", "/members/nobody", "", nil, 403, "role admin"},
		{viewer, "PATCH", "/organizations/" + acme, "{", badOrg, 403, "role admin"},
		{bound, "POST", "/organizations", "{", badOrg, 403, "bound to one organization"},
		{editor, "GET", "/audit?since=x", "", nil, 403, "role admin"},
		// Parameters and body, before the object.
		{admin, "PATCH", "/organizations/" + acme, "{", badOrg, 400, "JSON"},
		{admin, "PATCH", "/members/" + nobody, `{"role":"king"}`, nil, 400, "role"},
		{admin, "PATCH", "/members/nobody", "{", nil, 400, "JSON"},
		{viewer, "GET", "/instances/x?", "", nil, 400, "path id"},
		// The object, before the state of things.
		{admin, "PATCH", "/members/" + string(userIDs[stranger]), `{"role":"viewer"}`, nil, 404, "no member"},
		{admin, "DELETE", "/members/" + string(userIDs[stranger]), "", nil, 404, "no member"},
	} {
		r := w.call(c.who, c.method, c.path, c.body, c.headers...).want(c.want).says(c.says)
		if c.want == http.StatusMethodNotAllowed && r.header.Get("Allow") == "" {
			t.Errorf("%s: 405 without Allow", r.what)
		}
		if c.want == http.StatusUnauthorized && !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Bearer ") {
			t.Errorf("%s: 401 with the challenge %q", r.what, r.header.Get("WWW-Authenticate"))
		}
	}
}

// TestForeignOrganizationsLookLikeNone proves, operation by operation, that
// nobody can find out which organizations, members, invitations and instances
// others have.
func TestForeignOrganizationsLookLikeNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, operation := range slices.Sorted(maps.Keys(examples)) {
		switch operation {
		// Which are about no organization, or about that in their path.
		case "RegisterKey", "DeregisterKey", "CreateOrganization", "UpdateOrganization", "LeaveOrganization", "AcceptInvitation",
			"CreatePersonalToken", "DeletePersonalToken":
			continue
		}
		request := examples[operation]
		foreign := w.call(admin, request.method, request.path, request.body, "X-ORG-ID", globex)
		missing := w.call(admin, request.method, request.path, request.body, "X-ORG-ID", nobody)
		if foreign.String() != missing.String() {
			t.Errorf("%s: the answers differ:\n%s\n%s", operation, foreign, missing)
		}
	}
	for _, pair := range []struct{ method, foreign, missing, body string }{
		{"GET", "/instances/" + foreign, "/instances/" + nobody, ""},
		{"PATCH", "/members/" + string(userIDs[stranger]), "/members/" + nobody, `{"role":"viewer"}`},
		{"DELETE", "/members/" + string(userIDs[stranger]), "/members/" + nobody, ""},
		{"DELETE", "/members/" + string(userIDs[loner]), "/members/not-an-id", ""},
		{"DELETE", "/invitations/" + foreignInvitation, "/invitations/" + nobody, ""},
		{"GET", "/service-accounts/" + foreignAccount, "/service-accounts/" + nobody, ""},
		{"GET", "/service-accounts/" + foreignAccount + "/secrets", "/service-accounts/not-an-id/secrets", ""},
		{"GET", "/service-accounts/" + foreignAccount + "/keys", "/service-accounts/" + string(userIDs[viewer]) + "/keys", ""},
		{"PATCH", "/service-accounts/" + foreignAccount, "/service-accounts/" + nobody, `{"role":"viewer"}`},
		{"DELETE", "/service-accounts/" + foreignAccount, "/service-accounts/" + nobody, ""},
		{"POST", "/service-accounts/" + foreignAccount + "/secrets", "/service-accounts/" + nobody + "/secrets", ""},
		{"DELETE", "/service-accounts/" + foreignAccount + "/secrets/" + foreignSecret, "/service-accounts/" + nobody + "/secrets/" + nobody, ""},
		{"POST", "/service-accounts/" + foreignAccount + "/keys", "/service-accounts/" + nobody + "/keys", newKey("ci", publicKey("ci"))},
		{"DELETE", "/service-accounts/" + foreignAccount + "/keys/laptop", "/service-accounts/" + nobody + "/keys/laptop", ""},
		{"DELETE", "/members/" + deployer, "/members/" + nobody, ""},
		{"DELETE", "/user/tokens/" + strangerToken, "/user/tokens/not-an-id", ""},
		{"POST", "/invitations/" + foreignInvitation + "/resend", "/invitations/" + nobody + "/resend", ""},
		{"PATCH", "/organizations/" + globex, "/organizations/" + nobody, `{"display_name":"Mine"}`},
		{"PATCH", "/organizations/" + globex, "/organizations/not-an-id", `{`},
		{"DELETE", "/user/organizations/" + globex, "/user/organizations/" + nobody, ""},
		{"DELETE", "/invitations/" + expiredInvitation, "/invitations/not-an-id", ""},
	} {
		theirs := w.call(admin, pair.method, pair.foreign, pair.body).want(http.StatusNotFound)
		if none := w.call(admin, pair.method, pair.missing, pair.body); theirs.String() != none.String() {
			t.Errorf("%s: the answers differ:\n%s\n%s", theirs.what, theirs, none)
		}
	}
}

// TestChoiceOfOrganization is about whose data an answer holds.
func TestChoiceOfOrganization(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		who     string
		headers []string
		want    string // the name of the only or first instance
	}{
		{viewer, nil, "trainer-01"},
		{viewer, []string{"X-ORG-ID", acme}, "trainer-01"},
		{viewer, []string{"X-ORG-ID", strings.ToUpper(acme)}, "trainer-01"},
		{stranger, nil, "render-01"},
		{several, []string{"X-ORG-ID", acme}, "trainer-01"},
		{several, []string{"X-ORG-ID", globex}, "render-01"},
		{bound, nil, "trainer-01"},
		{bound, []string{"X-ORG-ID", acme}, "trainer-01"},
	} {
		r := w.get(c.who, "/instances", c.headers...).want(http.StatusOK)
		if items := list[struct{ Name string }](r); len(items) == 0 || items[0].Name != c.want {
			t.Errorf("%s with %v: got %+v; want %s first", r.what, c.headers, items, c.want)
		}
	}
	w.get(several, "/members").want(http.StatusBadRequest).says(acme, globex, "X-ORG-ID")
}

// TestTokenIsABoundary proves that a token bound to one organization shows of
// its holder's account no other.
func TestTokenIsABoundary(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	type organization struct{ ID string }
	type user struct {
		Relations []struct {
			OrgID string `json:"org_id"`
			Role  string
		}
	}
	for who, want := range map[string][]string{several: {acme, globex}, bound: {acme}, loner: {}} {
		got := []string{}
		for _, o := range list[organization](w.get(who, "/organizations").want(http.StatusOK)) {
			got = append(got, o.ID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got the organizations %v; want %v", who, got, want)
		}
		var u user
		w.get(who, "/user").want(http.StatusOK).into(&u)
		got = got[:0]
		for _, r := range u.Relations {
			got = append(got, r.OrgID)
		}
		if !slices.Equal(got, want) || u.Relations == nil {
			t.Errorf("%s: got the relations %v; want %v", who, u.Relations, want)
		}
	}
}

// TestOrganizationIsIgnoredWhereThereIsNone proves that what belongs to no
// organization needs none, whatever the header says.
func TestOrganizationIsIgnoredWhereThereIsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/regions", "/organizations", "/user", "/user/keys", "/user/invitations"} {
		for _, org := range []string{"", "acme", globex, nobody} {
			w.get(viewer, path, "X-ORG-ID", org).want(http.StatusOK)
		}
	}
}
