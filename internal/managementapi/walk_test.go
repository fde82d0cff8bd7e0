package managementapi_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// example is a request that an operation serves if its caller may.
type example struct{ method, path, body string }

// asks is who sends the example of an operation and gets it served.
func asks(operation string) string {
	if operation == "LeaveOrganization" { // which the last admin cannot
		return guest
	}
	return admin
}

var examples = map[string]example{
	"ListRegions":        {http.MethodGet, "/regions", ""},
	"ListOrganizations":  {http.MethodGet, "/organizations", ""},
	"CreateOrganization": {http.MethodPost, "/organizations", `{"display_name":"Tidal Labs"}`},
	"UpdateOrganization": {http.MethodPatch, "/organizations/" + acme, `{"display_name":"Acme Labs"}`},
	"LeaveOrganization":  {http.MethodDelete, "/user/organizations/" + acme, ""},
	"ListOwnInvitations": {http.MethodGet, "/user/invitations", ""},
	"AcceptInvitation":   {http.MethodPost, "/invitations/accept", `{"id":"` + ownInvitation + `"}`},
	"ResendInvitation":   {http.MethodPost, "/invitations/" + pendingInvitation + "/resend", ""},
	"ListAudit":          {http.MethodGet, "/audit", ""},
	"GetUser":            {http.MethodGet, "/user", ""},
	"ListKeys":           {http.MethodGet, "/user/keys", ""},
	"RegisterKey":        {http.MethodPost, "/user/keys", `{"name":"desktop","key":"` + publicKey("desktop") + `"}`},
	"DeregisterKey":      {http.MethodDelete, "/user/keys/laptop", ""},
	"ListClusters":       {http.MethodGet, "/clusters", ""},
	"ListInstances":      {http.MethodGet, "/instances", ""},
	"GetInstance":        {http.MethodGet, "/instances/" + trainer, ""},
	"ListMembers":        {http.MethodGet, "/members", ""},
	"UpdateMember":       {http.MethodPatch, "/members/" + string(userIDs[guest]), `{"role":"editor"}`},
	"DeleteMember":       {http.MethodDelete, "/members/" + string(userIDs[guest]), ""},
	"ListInvitations":    {http.MethodGet, "/invitations", ""},
	"CreateInvitation":   {http.MethodPost, "/invitations", `{"email":"new@example.com"}`},
	"DeleteInvitation":   {http.MethodDelete, "/invitations/" + pendingInvitation, ""},

	"ListServiceAccounts":         {http.MethodGet, "/service-accounts", ""},
	"GetServiceAccount":           {http.MethodGet, "/service-accounts/" + deployer, ""},
	"CreateServiceAccount":        {http.MethodPost, "/service-accounts", `{"name":"builder","role":"viewer"}`},
	"UpdateServiceAccount":        {http.MethodPatch, "/service-accounts/" + deployer, `{"role":"viewer"}`},
	"DeleteServiceAccount":        {http.MethodDelete, "/service-accounts/" + deployer, ""},
	"ListServiceAccountSecrets":   {http.MethodGet, "/service-accounts/" + deployer + "/secrets", ""},
	"CreateServiceAccountSecret":  {http.MethodPost, "/service-accounts/" + deployer + "/secrets", ""},
	"DeleteServiceAccountSecret":  {http.MethodDelete, "/service-accounts/" + deployer + "/secrets/" + deployerSecret, ""},
	"ListServiceAccountKeys":      {http.MethodGet, "/service-accounts/" + deployer + "/keys", ""},
	"RegisterServiceAccountKey":   {http.MethodPost, "/service-accounts/" + deployer + "/keys", `{"name":"ci","key":"` + publicKey("ci") + `"}`},
	"DeregisterServiceAccountKey": {http.MethodDelete, "/service-accounts/" + deployer + "/keys/laptop", ""},

	"ListPersonalTokens":  {http.MethodGet, "/user/tokens", ""},
	"CreatePersonalToken": {http.MethodPost, "/user/tokens", `{"name":"nightly export","max_role":"viewer","expires_in_days":90}`},
	"DeletePersonalToken": {http.MethodDelete, "/user/tokens/" + adminToken, ""},
}

// caller is somebody with the headers that they send.
type caller struct {
	who     string
	headers []string
}

// walkers are the callers of the walk, in the order of the table's columns.
var walkers = []caller{
	{who: anonymous},
	{who: badToken},
	{who: viewer},
	{who: editor},
	{who: admin},
	{who: stranger, headers: []string{"X-ORG-ID", acme}},
	{who: loner},
	{who: several},
	{who: bound, headers: []string{"X-ORG-ID", globex}},
	{who: stranger},
}

// walk is who gets what. It is written down here a second time on purpose.
var walk = map[string][10]int{
	//                 anonymous, bad token, viewer, editor, admin, stranger, loner, several, bound elsewhere, stranger at home
	"ListRegions":        {401, 401, 200, 200, 200, 200, 200, 200, 200, 200},
	"ListOrganizations":  {401, 401, 200, 200, 200, 200, 200, 200, 200, 200},
	"CreateOrganization": {401, 401, 201, 201, 201, 201, 201, 201, 403, 201},
	"UpdateOrganization": {401, 401, 403, 403, 200, 404, 404, 403, 403, 404},
	"LeaveOrganization":  {401, 401, 204, 204, 409, 404, 404, 204, 204, 404},
	"ListOwnInvitations": {401, 401, 200, 200, 200, 200, 200, 200, 200, 200},
	"AcceptInvitation":   {401, 401, 404, 404, 200, 404, 404, 404, 403, 404},
	"ResendInvitation":   {401, 401, 403, 403, 200, 403, 403, 400, 403, 404},
	"ListAudit":          {401, 401, 403, 403, 200, 403, 403, 400, 403, 200},
	"GetUser":            {401, 401, 200, 200, 200, 200, 200, 200, 200, 200},
	"ListKeys":           {401, 401, 200, 200, 200, 200, 200, 200, 200, 200},
	"RegisterKey":        {401, 401, 200, 200, 200, 200, 200, 200, 200, 200},
	"DeregisterKey":      {401, 401, 204, 204, 204, 204, 204, 204, 204, 204},
	"ListClusters":       {401, 401, 200, 200, 200, 403, 403, 400, 403, 200},
	"ListInstances":      {401, 401, 200, 200, 200, 403, 403, 400, 403, 200},
	"GetInstance":        {401, 401, 200, 200, 200, 403, 403, 400, 403, 404},
	"ListMembers":        {401, 401, 200, 200, 200, 403, 403, 400, 403, 200},
	"UpdateMember":       {401, 401, 403, 403, 200, 403, 403, 400, 403, 404},
	"DeleteMember":       {401, 401, 403, 403, 204, 403, 403, 400, 403, 404},
	"ListInvitations":    {401, 401, 200, 200, 200, 403, 403, 400, 403, 200},
	"CreateInvitation":   {401, 401, 403, 403, 201, 403, 403, 400, 403, 201},
	"DeleteInvitation":   {401, 401, 403, 403, 204, 403, 403, 400, 403, 404},

	"ListServiceAccounts":         {401, 401, 200, 200, 200, 403, 403, 400, 403, 200},
	"GetServiceAccount":           {401, 401, 200, 200, 200, 403, 403, 400, 403, 404},
	"CreateServiceAccount":        {401, 401, 403, 403, 201, 403, 403, 400, 403, 201},
	"UpdateServiceAccount":        {401, 401, 403, 403, 200, 403, 403, 400, 403, 404},
	"DeleteServiceAccount":        {401, 401, 403, 403, 204, 403, 403, 400, 403, 404},
	"ListServiceAccountSecrets":   {401, 401, 200, 200, 200, 403, 403, 400, 403, 404},
	"CreateServiceAccountSecret":  {401, 401, 403, 403, 201, 403, 403, 400, 403, 404},
	"DeleteServiceAccountSecret":  {401, 401, 403, 403, 204, 403, 403, 400, 403, 404},
	"ListServiceAccountKeys":      {401, 401, 200, 200, 200, 403, 403, 400, 403, 404},
	"RegisterServiceAccountKey":   {401, 401, 403, 403, 201, 403, 403, 400, 403, 404},
	"DeregisterServiceAccountKey": {401, 401, 403, 403, 204, 403, 403, 400, 403, 404},

	"ListPersonalTokens":  {401, 401, 200, 200, 200, 200, 200, 200, 200, 200},
	"CreatePersonalToken": {401, 401, 201, 201, 201, 201, 403, 400, 201, 201},
	"DeletePersonalToken": {401, 401, 404, 404, 204, 404, 404, 404, 404, 404},
}

// TestWalk calls every operation of the router as everybody, and proves that
// who is refused, or only reads, changes nothing in the database.
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
	before := w.dump()
	for _, operation := range slices.Sorted(maps.Keys(walk)) {
		for i, caller := range walkers {
			request, want := examples[operation], walk[operation][i]
			if want < 300 && request.method != http.MethodGet {
				t.Run(fmt.Sprintf("%s/%s%v", operation, or(caller.who, "anonymous"), caller.headers), func(t *testing.T) {
					t.Parallel()
					w := newWorld(t)
					w.call(caller.who, request.method, request.path, request.body, caller.headers...).want(want)
					if w.dump() == before {
						t.Errorf("%s %s as %s: %d, but nothing changed", request.method, request.path, caller.who, want)
					}
				})
				continue
			}
			r := w.call(caller.who, request.method, request.path, request.body, caller.headers...).want(want)
			if after := w.dump(); after != before {
				t.Fatalf("%s: %d, and yet it changed the database:\n%s", r.what, r.status, cmp.Diff(before, after))
			}
		}
	}
}
