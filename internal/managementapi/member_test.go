package managementapi_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

type member struct{ ID, Name, Email, Role string }

// roles are the members of acme by the name that the cast gives them.
func (w *world) roles() map[string]string {
	w.t.Helper()
	byID := map[string]string{}
	for name, id := range userIDs {
		byID[string(id)] = name
	}
	roles := map[string]string{}
	w.read(func(r cloud.Reader) error {
		members, err := r.Members(acme, cloud.Page{})
		for _, m := range members {
			roles[byID[string(m.User.ID)]] = string(m.Role)
		}
		return err
	})
	return roles
}

func memberPath(who string) string { return "/members/" + string(userIDs[who]) }

func TestRoleChangesHoldFromTheNextRequestOn(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		w.call(guest, "POST", "/invitations", `{"email":"a@example.com"}`).want(http.StatusForbidden)
		var got member
		w.call(admin, "PATCH", memberPath(guest), `{"role":"admin"}`).want(http.StatusOK).into(&got)
		if want := (member{ID: string(userIDs[guest]), Name: "The guest", Email: "guest@example.com", Role: "admin"}); got != want {
			t.Errorf("got %+v; want %+v", got, want)
		}
		w.call(guest, "POST", "/invitations", `{"email":"a@example.com"}`).want(http.StatusCreated)
		w.call(guest, "PATCH", memberPath(admin), `{"role":"viewer"}`).want(http.StatusOK)
		w.call(admin, "POST", "/invitations", `{"email":"b@example.com"}`).want(http.StatusForbidden).says("yours is viewer")
		w.get(admin, "/members").want(http.StatusOK)
	})
}

// TestRemovedMembersAreOut proves that removal works at once, and takes away
// the membership and nothing else.
func TestRemovedMembersAreOut(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		w.get(guest, "/instances").want(http.StatusOK)
		w.call(admin, "DELETE", memberPath(guest), "").want(http.StatusNoContent)
		w.get(guest, "/instances").want(http.StatusForbidden)
		w.get(guest, "/instances", "X-ORG-ID", acme).want(http.StatusForbidden)
		if keys := list[struct{}](w.get(guest, "/user/keys").want(http.StatusOK)); len(keys) != 1 {
			t.Errorf("the account has %d keys left; want 1", len(keys))
		}
		w.call(admin, "DELETE", memberPath(guest), "").want(http.StatusNotFound)
		w.call(admin, "PATCH", memberPath(guest), `{"role":"viewer"}`).want(http.StatusNotFound)

		// Of several organizations, one is left, and is chosen without being asked for.
		w.call(admin, "DELETE", memberPath(several), "").want(http.StatusNoContent)
		if items := list[struct{ Name string }](w.get(several, "/instances").want(http.StatusOK)); len(items) != 1 || items[0].Name != "render-01" {
			t.Errorf("got %v; want what globex has", items)
		}
		w.get(bound, "/instances").want(http.StatusForbidden)
	})
}

// TestLastAdminStays proves it for everything that an admin could do to
// themselves; another admin makes it possible.
func TestLastAdminStays(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		for _, body := range []string{`{"role":"viewer"}`, `{"role":"editor"}`} {
			w.call(admin, "PATCH", memberPath(admin), body).want(http.StatusConflict).says("last admin", "make another member admin")
		}
		w.call(admin, "DELETE", memberPath(admin), "").want(http.StatusConflict).says("last admin")
		w.call(admin, "PATCH", memberPath(admin), `{"role":"admin"}`).want(http.StatusOK)
		if got := w.roles()[admin]; got != "admin" {
			t.Fatalf("the last admin is now %q", got)
		}
		w.call(admin, "PATCH", memberPath(editor), `{"role":"admin"}`).want(http.StatusOK)
		w.call(admin, "DELETE", memberPath(admin), "").want(http.StatusNoContent)
		w.call(editor, "DELETE", memberPath(editor), "").want(http.StatusConflict)
		w.get(admin, "/members").want(http.StatusForbidden)
	})
}

// TestLastAdminStaysUnderConcurrentTries lets two admins do at once all that
// could leave the organization without any.
func TestLastAdminStaysUnderConcurrentTries(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		w.call(admin, "PATCH", memberPath(editor), `{"role":"admin"}`).want(http.StatusOK)
		var wg sync.WaitGroup
		begin := make(chan struct{})
		for range 4 {
			for _, who := range []string{admin, editor} {
				for _, whom := range []string{admin, editor} {
					for _, what := range []struct{ method, body string }{{"PATCH", `{"role":"viewer"}`}, {"DELETE", ""}} {
						wg.Go(func() {
							<-begin
							switch r := w.call(who, what.method, memberPath(whom), what.body); r.status {
							case http.StatusOK, http.StatusNoContent, http.StatusForbidden, http.StatusNotFound, http.StatusConflict:
							default:
								r.want(http.StatusConflict)
							}
						})
					}
				}
			}
		}
		close(begin)
		wg.Wait()
		admins := 0
		for _, role := range w.roles() {
			if role == "admin" {
				admins++
			}
		}
		if admins != 1 {
			t.Errorf("%d admins are left; want 1: %v", admins, w.roles())
		}
	})
}

// TestWrongRoles proves that a body which does not name a role changes nothing.
func TestWrongRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.dump()
	for _, body := range []string{
		``, ` `, `null`, `{}`, `[]`, `"viewer"`, `{"role":null}`, `{"role":""}`, `{"role":"king"}`, `{"role":"Admin"}`, `{"role":"member"}`,
		`{"role":" viewer"}`, `{"role":1}`, `{"role":["viewer"]}`, `{"role":"editor"`, `{"role":"editor"}}`, `{"role":"editor"} trailing`,
		`{"role":"editor"}{"role":"editor"}`, `{"ROLE":"editor"}`, `{"Role":"editor"}`, `{"role ":"editor"}`, `{"role":"editor"},`,
		`{'role':'editor'}`, "{\"role\":\"editor\x00\"}", "{\"role\":\"edi\xfftor\"}", strings.Repeat(`{"role":`, 20000),
	} {
		w.call(admin, "PATCH", memberPath(guest), body).want(http.StatusBadRequest)
	}
	for _, contentType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/xml", "multipart/form-data; boundary=x", "application/jsonx", ";;"} {
		w.call(admin, "PATCH", memberPath(guest), `{"role":"editor"}`, "Content-Type", contentType).want(http.StatusBadRequest).says("Content-Type: application/json")
	}
	if after := w.dump(); after != before {
		t.Error("a wrong role changed the database")
	}
	for _, contentType := range []string{"application/json", "application/json; charset=utf-8", "Application/JSON"} {
		w.call(admin, "PATCH", memberPath(guest), "\r\n {\"role\" : \"editor\", \"Role\": \"admin\", \"until\": {\"x\": [1]}}\n", "Content-Type", contentType).want(http.StatusOK)
	}
	if got := w.roles()[guest]; got != "editor" {
		t.Errorf("the guest is %s now; want editor", got)
	}
}
