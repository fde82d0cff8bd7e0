package managementapi_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// overtaken is a store in which something happens between the admission of a
// request and its transaction.
type overtaken struct {
	cloud.Store
	by *func() // once
}

func (s overtaken) Write(ctx context.Context, fn func(cloud.Writer) error) error {
	if by := *s.by; by != nil {
		*s.by = nil
		by()
	}
	return s.Store.Write(ctx, fn)
}

// TestDecidedInTheTransaction takes away from whoever was just admitted what they
// need, before the transaction of every change that there is: nothing is changed.
func TestDecidedInTheTransaction(t *testing.T) {
	t.Parallel()
	own := []string{"RegisterKey", "DeregisterKey", "CreateOrganization", "AcceptInvitation", "DeletePersonalToken"}
	ofAnyRole := append([]string{"LeaveOrganization", "CreatePersonalToken"}, own...)
	for what, c := range map[string]struct {
		do     func(tx cloud.Writer, operation string) error
		spares []string
		says   string
	}{
		"the account is suspended": {
			func(tx cloud.Writer, operation string) error { return tx.SuspendUser(userIDs[asks(operation)], start) },
			nil, "your account is suspended",
		},
		"the organization is suspended": {
			func(tx cloud.Writer, operation string) error {
				if operation == "AcceptInvitation" {
					return tx.SuspendOrganization(globex, start)
				}
				return tx.SuspendOrganization(acme, start)
			},
			slices.DeleteFunc(slices.Clone(own), func(o string) bool { return o == "AcceptInvitation" }), "this organization is suspended",
		},
		"the role is taken": {
			func(tx cloud.Writer, operation string) error {
				return tx.SetRole(acme, userIDs[asks(operation)], cloud.RoleEditor)
			},
			ofAnyRole, "needs the role admin",
		},
		"the membership ends": {
			func(tx cloud.Writer, operation string) error { return tx.RemoveMember(acme, userIDs[asks(operation)]) },
			own, "belong to",
		},
	} {
		for operation, request := range examples {
			if request.method == http.MethodGet || slices.Contains(c.spares, operation) {
				continue
			}
			t.Run(what+"/"+operation, func(t *testing.T) {
				t.Parallel()
				var by func()
				w := newWorld(t, func(s cloud.Store) cloud.Store { return overtaken{s, &by} })
				var before string
				by = func() {
					w.write(func(tx cloud.Writer) error { return c.do(tx, operation) })
					before = w.dump()
				}
				w.call(asks(operation), request.method, request.path, request.body).want(http.StatusForbidden).says(c.says)
				if diff := cmp.Diff(before, w.dump()); diff != "" {
					t.Errorf("the database changed:\n%s", diff)
				}
			})
		}
	}
}

// TestTokenAgainstRemoval has somebody make a token while they are removed: it is
// not made, or dies with the membership, and a new membership revives it in
// neither case.
func TestTokenAgainstRemoval(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		for round := range rounds {
			name := fmt.Sprint("token-", round)
			var made personalToken
			create, remove := w.race(
				func() reply {
					r := w.call(guest, "POST", "/user/tokens", `{"name":"ci","expires_in_days":1,"organization_id":"`+acme+`"}`)
					if r.status == http.StatusCreated {
						r.into(&made)
					}
					return r
				},
				func() reply { return w.call(admin, "DELETE", memberPath(guest), "") },
			)
			if create != http.StatusCreated && create != http.StatusForbidden || remove != http.StatusNoContent {
				t.Errorf("round %d: making it is %d, the removal %d", round, create, remove)
			}
			w.write(func(tx cloud.Writer) error {
				return tx.AddMember(cloud.Member{OrganizationID: acme, User: cloud.User{ID: userIDs[guest]}, Role: cloud.RoleViewer, JoinedAt: start})
			})
			if create != http.StatusCreated {
				continue
			}
			w.tokens[name] = made.Token
			w.get(name, "/members").want(http.StatusUnauthorized).says("revoked")
		}
	})
}
