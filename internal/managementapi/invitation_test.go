package managementapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

type invitation struct {
	ID, Email, Role string
	ExpiresAt       time.Time `json:"expires_at"`
}

func invite(email, role string) string {
	in := map[string]string{"email": email}
	if role != "" {
		in["role"] = role
	}
	body, err := json.Marshal(in)
	if err != nil {
		panic(err) // strings always marshal
	}
	return string(body)
}

func TestInvitationRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for asked, want := range map[string]string{"": "viewer", "viewer": "viewer", "editor": "editor", "member": "editor", "admin": "admin"} {
		var got invitation
		email := "asked-for-" + asked + "@example.com"
		w.call(admin, "POST", "/invitations", invite(email, asked)).want(http.StatusCreated).into(&got)
		if got.Role != want || got.Email != email || got.ID == "" {
			t.Errorf("role %q: got %+v; want the role %s", asked, got, want)
		}
	}
	for _, role := range []string{"king", "Admin", "MEMBER", " viewer", "owner", "\x00"} {
		w.call(admin, "POST", "/invitations", invite("x@example.com", role)).want(http.StatusBadRequest).says("role must be one of admin, editor, viewer")
	}
}

// TestInvitationsAreAnsweredAsTheyAreListed proves that a client may keep the
// answer to its POST instead of asking again.
func TestInvitationsAreAnsweredAsTheyAreListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	created := w.call(admin, "POST", "/invitations", invite("new@example.com", "")).want(http.StatusCreated)
	for _, item := range list[json.RawMessage](w.get(viewer, "/invitations")) {
		if string(item) == strings.TrimSpace(created.body) {
			return
		}
	}
	t.Errorf("created:\n%s\nlisted:\n%s", created.body, w.get(viewer, "/invitations").body)
}

func TestInvitationsAreUnique(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		w.call(admin, "POST", "/invitations", invite("Ada@Example.com", "admin")).want(http.StatusCreated)
		for _, email := range []string{"Ada@Example.com", "ada@example.com", "ADA@EXAMPLE.COM"} {
			w.call(admin, "POST", "/invitations", invite(email, "viewer")).want(http.StatusConflict).says("pending already", "delete it")
		}
		for _, email := range []string{"guest@example.com", "Guest@EXAMPLE.com", "admin@example.com"} {
			w.call(admin, "POST", "/invitations", invite(email, "")).want(http.StatusConflict).says("is a member")
		}
		// Elsewhere the same address is another matter.
		w.call(stranger, "POST", "/invitations", invite("ada@example.com", "")).want(http.StatusCreated)
		w.call(stranger, "POST", "/invitations", invite("guest@example.com", "")).want(http.StatusCreated)
		// Who is in no organization can be invited, and so can who has left.
		w.call(admin, "POST", "/invitations", invite("loner@example.com", "")).want(http.StatusCreated)
		w.call(admin, "DELETE", memberPath(guest), "").want(http.StatusNoContent)
		w.call(admin, "POST", "/invitations", invite("guest@example.com", "")).want(http.StatusCreated)
	})
}

func TestInvitationsAreUniqueUnderConcurrentTries(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		statuses := w.inParallel(40, func(i int) reply {
			email := "ada@example.com"
			if i%2 == 0 {
				email = "ADA@example.com"
			}
			return w.call(admin, "POST", "/invitations", invite(email, ""))
		})
		if diff := cmp.Diff(map[int]int{http.StatusCreated: 1, http.StatusConflict: 39}, statuses); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// inParallel calls n times at once, and counts the statuses.
func (w *world) inParallel(n int, call func(i int) reply) map[int]int {
	var wg sync.WaitGroup
	begin, statuses := make(chan struct{}), make([]int, n)
	for i := range n {
		wg.Go(func() {
			<-begin
			statuses[i] = call(i).status
		})
	}
	close(begin)
	wg.Wait()
	counts := map[int]int{}
	for _, status := range statuses {
		counts[status]++
	}
	return counts
}

func TestInvitationsExpire(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		var created invitation
		w.call(admin, "POST", "/invitations", invite("ada@example.com", "")).want(http.StatusCreated).into(&created)
		if want := start.Add(7 * 24 * time.Hour).Truncate(time.Microsecond); !created.ExpiresAt.Equal(want) {
			t.Errorf("it expires at %v; want %v", created.ExpiresAt, want)
		}
		listed := func() (listed bool) {
			for _, i := range list[invitation](w.get(viewer, "/invitations").want(http.StatusOK)) {
				listed = listed || i.ID == created.ID
			}
			return listed
		}
		w.clock.Pass(7*24*time.Hour - time.Microsecond)
		if !listed() {
			t.Error("it is gone too early")
		}
		w.call(admin, "POST", "/invitations", invite("ada@example.com", "")).want(http.StatusConflict)
		w.clock.Pass(time.Microsecond)
		if listed() {
			t.Error("it is listed after 7 days")
		}
		w.call(admin, "DELETE", "/invitations/"+created.ID, "").want(http.StatusNotFound)
		w.call(admin, "POST", "/invitations", invite("ada@example.com", "")).want(http.StatusCreated)
	})
}

func TestInvitationsAreWithdrawn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(admin, "DELETE", "/invitations/"+strings.ToUpper(pendingInvitation), "").want(http.StatusNoContent)
	w.call(admin, "DELETE", "/invitations/"+pendingInvitation, "").want(http.StatusNotFound).says("GET /invitations")
	if got := w.get(viewer, "/invitations").want(http.StatusOK).body; got != "[]\n" {
		t.Errorf("got %s; want []", got)
	}
	w.call(admin, "POST", "/invitations", invite("tomas@example.com", "admin")).want(http.StatusCreated)
	if got := w.get(stranger, "/invitations").want(http.StatusOK); !strings.Contains(got.body, foreignInvitation) {
		t.Errorf("another organization's invitation went with it: %s", got.body)
	}
}

func TestWrongEmails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.dump()
	for _, email := range []string{
		"", " ", "ada", "@", "ada@", "@example.com", "ada@@example.com", "ada@example..com", "ada@.example.com", "ada@example.com.",
		"ada@-example.com", "ada@example-.com", "ada@exa mple.com", "a da@example.com", " ada@example.com", "ada@example.com ",
		"Ada <ada@example.com>", "<ada@example.com>", "ada@example.com, bob@example.com", "ada@example.com;bob@example.com", "mailto:ada@example.com",
		`"ada"@example.com`, `"a b"@example.com`, "ada@[192.0.2.1]", "ada@example.com\r\nBcc: bob@example.com", "ada\n@example.com", "ada@example.com\x00",
		"ada@exam\x7fple.com", "ada\u0085@example.com", "ada\u200b@example.com", "ada\u202e@example.com", "ada\ufffd@example.com", "ada\u00a0@example.com",
		".ada@example.com", "ada.@example.com", "a..da@example.com", "ada@exam_ple.com", "ada@" + strings.Repeat("x", 64) + ".com",
		strings.Repeat("a", 250) + "@example.com", "ada@" + strings.Repeat("x.", 130) + "com", "ada(comment)@example.com", "ada@example.com(comment)",
	} {
		w.call(admin, "POST", "/invitations", invite(email, "")).want(http.StatusBadRequest).says("email")
	}
	for _, body := range []string{``, `null`, `{}`, `[]`, `{"email":null}`, `{"email":7}`, `{"email":["a@example.com"]}`, `{"email":"a@example.com","role":7}`, `{"EMAIL":"a@example.com"}`, `{"email":"a@example.com"}x`} {
		w.call(admin, "POST", "/invitations", body).want(http.StatusBadRequest)
	}
	if w.dump() != before {
		t.Error("a wrong email changed the database")
	}
	for i, email := range []string{"ada@example.com", "ada+tag@example.co.uk", "o'hara@example.com", "a_b-c.d@x-1.example", "örjan@exämple.se", "ada@localhost"} {
		var got invitation
		w.call(admin, "POST", "/invitations", invite(email, "")).want(http.StatusCreated).into(&got)
		if got.Email != email {
			t.Errorf("%d: got %q; want %q, as its owner writes it", i, got.Email, email)
		}
	}
}

// TestInvitationsOfManyOrganizations proves that the list is of one only.
func TestInvitationsOfManyOrganizations(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(func(tx cloud.Writer) error {
		for i := range 30 {
			at := cloud.Invitation{
				ID: cloud.ID(fmt.Sprintf("019cae00-0000-7000-a000-%012x", i)), OrganizationID: []cloud.ID{acme, globex}[i%2],
				Email: cloud.Email(fmt.Sprintf("p%d@example.com", i)), Role: cloud.RoleViewer, CreatedAt: start, ExpiresAt: start.Add(time.Hour),
			}
			if err := tx.CreateInvitation(at); err != nil {
				return err
			}
		}
		return nil
	})
	for who, want := range map[string]int{viewer: 16, stranger: 17} {
		if got := list[invitation](w.get(who, "/invitations").want(http.StatusOK)); len(got) != want {
			t.Errorf("%s sees %d invitations; want %d", who, len(got), want)
		}
	}
}
