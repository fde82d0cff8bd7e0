package managementapi_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

type organization struct {
	ID, Name    string
	DisplayName string `json:"display_name"`
}

func called(displayName string) string { return fmt.Sprintf(`{"display_name":%q}`, displayName) }

func TestOrganizationsAreFounded(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		for _, c := range []struct{ displayName, name string }{
			{"Tidal Labs", "tidal-labs"}, {"tidal  labs!", "tidal-labs-2"}, {"Acme", "acme-2"}, {"Müller & Söhne", "muller-sohne"}, {"東京", "organization"},
		} {
			var made organization
			w.call(loner, "POST", "/organizations", called(c.displayName)).want(http.StatusCreated).into(&made)
			if made.Name != c.name || made.DisplayName != c.displayName {
				t.Errorf("got %+v; want the name %s and the display name %s", made, c.name, c.displayName)
			}
			// Whoever makes it is its admin, and nobody else is in it.
			members := list[member](w.get(loner, "/members", "X-ORG-ID", made.ID).want(http.StatusOK))
			if len(members) != 1 || members[0].ID != string(userIDs[loner]) || members[0].Role != "admin" {
				t.Errorf("the members of %s are %+v", made.Name, members)
			}
			w.get(admin, "/members", "X-ORG-ID", made.ID).want(http.StatusForbidden)
		}
	})
}

// TestOrganizationsOfOneNameAtOnce has many make one of the same name: all get
// theirs, and no two the same.
func TestOrganizationsOfOneNameAtOnce(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		names := make([]string, 20)
		w.inParallel(len(names), func(i int) reply {
			var made organization
			r := w.call([]string{loner, guest}[i%2], "POST", "/organizations", called("Tidal Labs")).want(http.StatusCreated)
			r.into(&made)
			names[i] = made.Name
			return r
		})
		slices.Sort(names)
		if got := len(slices.Compact(names)); got != 20 || !slices.Contains(names, "tidal-labs") || !slices.Contains(names, "tidal-labs-9") {
			t.Errorf("got the names %v", names)
		}
	})
}

func TestOrganizationsAreRenamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var got organization
	w.call(admin, "PATCH", "/organizations/"+strings.ToUpper(acme), called("Acme Labs"), "X-ORG-ID", globex).want(http.StatusOK).into(&got)
	want := organization{ID: acme, Name: "acme", DisplayName: "Acme Labs"}
	if got != want {
		t.Errorf("got %+v; want %+v", got, want)
	}
	if listed := list[organization](w.get(viewer, "/organizations")); !slices.Contains(listed, want) {
		t.Errorf("listed are %+v", listed)
	}
	before := w.dump()
	w.call(admin, "PATCH", "/organizations/"+acme, called("Acme Labs")).want(http.StatusOK)
	if diff := cmp.Diff(before, w.dump()); diff != "" {
		t.Errorf("the same name again changed:\n%s", diff)
	}
	for _, name := range []string{"", " ", "x ", "a\\nb", strings.Repeat("ü", 101)} {
		w.call(admin, "PATCH", "/organizations/"+acme, `{"display_name":"`+name+`"}`).want(http.StatusBadRequest).says("display_name")
	}
}

func TestMembersLeave(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		w.call(several, "DELETE", "/user/organizations/"+acme, "").want(http.StatusNoContent)
		w.call(several, "DELETE", "/user/organizations/"+acme, "").want(http.StatusNotFound)
		w.get(several, "/instances", "X-ORG-ID", acme).want(http.StatusForbidden)
		w.get(several, "/instances").want(http.StatusOK) // of the other one
		w.call(admin, "DELETE", "/user/organizations/"+acme, "").want(http.StatusConflict).says("last admin")
		w.call(admin, "PATCH", memberPath(editor), `{"role":"admin"}`).want(http.StatusOK)
		w.call(admin, "DELETE", "/user/organizations/"+acme, "").want(http.StatusNoContent)
	})
}

// TestLastAdminLeavesTwice has the two admins that there are leave at once, again
// and again: one stays each time.
func TestLastAdminLeavesTwice(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		w.call(admin, "PATCH", memberPath(editor), `{"role":"admin"}`).want(http.StatusOK)
		both := []string{admin, editor}
		for range 20 {
			left := make([]bool, len(both))
			got := w.inParallel(len(both), func(i int) reply {
				r := w.call(both[i], "DELETE", "/user/organizations/"+acme, "")
				left[i] = r.status == http.StatusNoContent
				return r
			})
			if diff := cmp.Diff(map[int]int{http.StatusNoContent: 1, http.StatusConflict: 1}, got); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
			gone := both[slices.Index(left, true)]
			w.write(func(tx cloud.Writer) error {
				return tx.AddMember(cloud.Member{OrganizationID: acme, User: cloud.User{ID: userIDs[gone]}, Role: cloud.RoleAdmin, JoinedAt: start})
			})
		}
	})
}

// sign makes a token that the plane believes, with claims beside the usual.
func (w *world) sign(who string, claims jwt.MapClaims) string {
	w.t.Helper()
	key, kid := w.signingKey()
	all := jwt.MapClaims{
		"iss": "http://plane.example.com", "aud": auth.Audience, "sub": string(userIDs[who]), "iat": start.Unix(), "exp": start.Add(time.Hour).Unix(),
	}
	for name, value := range claims {
		all[name] = value
	}
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, all)
	token.Header["kid"] = kid
	text, err := token.SignedString(key)
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// TestTokensDieWithTheMembership is about personal tokens of those who leave or
// are removed: an invitation does not bring them back.
func TestTokensDieWithTheMembership(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(w *world) reply{
		"left":    func(w *world) reply { return w.call(guest, "DELETE", "/user/organizations/"+acme, "") },
		"removed": func(w *world) reply { return w.call(admin, "DELETE", memberPath(guest), "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everywhere(t, func(t *testing.T, w *world) {
				const here, there = "019cae00-0000-7000-8000-000000000f01", "019cae00-0000-7000-8000-000000000f02"
				w.write(func(tx cloud.Writer) error {
					if err := tx.AddMember(cloud.Member{OrganizationID: globex, User: cloud.User{ID: userIDs[guest]}, Role: cloud.RoleViewer, JoinedAt: start}); err != nil {
						return err
					}
					for id, organization := range map[cloud.ID]cloud.ID{here: acme, there: globex} {
						if err := tx.CreatePersonalToken(cloud.PersonalToken{
							ID: id, UserID: userIDs[guest], OrganizationID: organization, Name: "ci", CreatedAt: start, ExpiresAt: start.Add(time.Hour),
						}); err != nil {
							return err
						}
					}
					return nil
				})
				w.tokens["here"] = w.sign(guest, jwt.MapClaims{"jti": here, "org_id": acme})
				w.tokens["there"] = w.sign(guest, jwt.MapClaims{"jti": there, "org_id": globex})
				w.get("here", "/members").want(http.StatusOK)
				leave(w).want(http.StatusNoContent)
				w.get("here", "/members").want(http.StatusUnauthorized).says("revoked")
				w.get("there", "/members").want(http.StatusOK)
				w.write(func(tx cloud.Writer) error {
					return tx.AddMember(cloud.Member{OrganizationID: acme, User: cloud.User{ID: userIDs[guest]}, Role: cloud.RoleAdmin, JoinedAt: start})
				})
				w.get("here", "/members").want(http.StatusUnauthorized)
				w.get(guest, "/members", "X-ORG-ID", acme).want(http.StatusOK)
			})
		})
	}
}

// TestServiceAccountsAreNoMembersToManage proves that what is about members and
// people is not about service accounts.
func TestServiceAccountsAreNoMembersToManage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const account = "019cae00-0000-7000-8000-000000000f11"
	w.write(func(tx cloud.Writer) error {
		return tx.CreateServiceAccount(cloud.ServiceAccount{
			ID: account, OrganizationID: acme, Name: "ci", Role: cloud.RoleAdmin, CreatedBy: userIDs[admin], CreatedAt: start,
		}, cloud.ServiceEmail("ci", "acme"))
	})
	userIDs := map[string]cloud.ID{"ci": account}
	w.call(admin, "PATCH", "/members/"+account, `{"role":"viewer"}`).want(http.StatusNotFound).says("no member")
	w.call(admin, "DELETE", "/members/"+account, "").want(http.StatusNotFound).says("no member")
	w.call(admin, "DELETE", "/user/organizations/"+acme, "").want(http.StatusConflict).says("last admin")
	w.tokens["ci"] = w.sign("", jwt.MapClaims{"sub": string(userIDs["ci"]), "org_id": acme})
	w.call("ci", "POST", "/invitations", invite("new@example.com", "")).want(http.StatusCreated)
	w.call("ci", "POST", "/organizations", called("Tidal Labs")).want(http.StatusForbidden).says("a service account may not")
	w.call("ci", "DELETE", "/user/organizations/"+acme, "").want(http.StatusForbidden).says("a service account may not")
	w.call("ci", "POST", "/invitations/accept", `{"id":"`+ownInvitation+`"}`).want(http.StatusForbidden).says("a service account may not")
}
