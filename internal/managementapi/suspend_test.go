package managementapi_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
)

func (w *world) operator() control.Operator {
	return w.control.As(cloud.Actor{Kind: cloud.ActorOperator, ID: "root"})
}

// TestSuspension asks for everything while an organization, or a user, is
// suspended: what reads is answered as before, what changes something is
// refused and says why, and nothing is changed; and all is well when it ends.
func TestSuspension(t *testing.T) {
	t.Parallel()
	ownAccount := []string{"RegisterKey", "DeregisterKey", "CreateOrganization", "AcceptInvitation", "DeletePersonalToken"}
	for what, c := range map[string]struct {
		suspend func(w *world, suspended bool) error
		says    string
		spares  []string // which are not the organization's
	}{
		"an organization": {
			func(w *world, suspended bool) error {
				return w.operator().SuspendOrganization(t.Context(), "acme", suspended)
			}, "this organization is suspended", ownAccount,
		},
		"the organization that invites": {
			func(w *world, suspended bool) error {
				return w.operator().SuspendOrganization(t.Context(), "globex", suspended)
			}, "this organization is suspended", nil,
		},
		"users": {
			func(w *world, suspended bool) error {
				for _, who := range []string{admin, guest} {
					if err := w.operator().SuspendUser(t.Context(), string(emailOf(who)), suspended); err != nil {
						return err
					}
				}
				return nil
			}, "your account is suspended", nil,
		},
	} {
		for operation, request := range examples {
			if what == "the organization that invites" && operation != "AcceptInvitation" {
				continue
			}
			if slices.Contains(c.spares, operation) {
				continue
			}
			t.Run(what+"/"+operation, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				ask := func() reply { return w.call(asks(operation), request.method, request.path, request.body) }
				if err := c.suspend(w, true); err != nil {
					t.Fatal(err)
				}
				before := w.dump()
				if request.method == http.MethodGet {
					ask().want(http.StatusOK)
				} else {
					ask().want(http.StatusForbidden).says(c.says)
				}
				if diff := cmp.Diff(before, w.dump()); diff != "" {
					t.Errorf("the database changed:\n%s", diff)
				}
				if err := c.suspend(w, false); err != nil {
					t.Fatal(err)
				}
				if r := ask(); r.status >= 300 {
					t.Errorf("%s: %d %s after the end of it", r.what, r.status, r.body)
				}
			})
		}
	}
}

// TestSuspensionIsOfOneOnly proves that others go on.
func TestSuspensionIsOfOneOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.operator().SuspendOrganization(t.Context(), "globex", true); err != nil {
		t.Fatal(err)
	}
	if err := w.operator().SuspendUser(t.Context(), "GUEST@example.com", true); err != nil {
		t.Fatal(err)
	}
	w.call(admin, "POST", "/invitations", invite("ada@example.com", "")).want(http.StatusCreated)
	w.call(stranger, "POST", "/invitations", invite("ada@example.com", "")).want(http.StatusForbidden).says("this organization is suspended")
	w.call(stranger, "POST", "/user/keys", newKey("desktop", publicKey("desktop"))).want(http.StatusOK)
	w.call(guest, "POST", "/user/keys", newKey("desktop", publicKey("desktop"))).want(http.StatusForbidden).says("your account is suspended")
	// Who has not the role is told that, suspended or not.
	w.call(several, "POST", "/invitations", invite("bob@example.com", ""), "X-ORG-ID", globex).want(http.StatusForbidden).says("needs the role admin")
}
