package managementapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

type personalToken struct {
	ID, Name, Token string
	OrganizationID  string    `json:"organization_id"`
	MaxRole         string    `json:"max_role"`
	ExpiresAt       time.Time `json:"expires_at"`
}

// makeToken makes a personal token, by whose name it can be called from then on.
func (w *world) makeToken(who, name, more string) personalToken {
	w.t.Helper()
	var made personalToken
	w.call(who, "POST", "/user/tokens", fmt.Sprintf(`{"name":%q,"expires_in_days":90%s}`, name, more)).want(http.StatusCreated).into(&made)
	w.tokens[name] = made.Token
	return made
}

// TestPersonalTokens follows one from its making to its end.
func TestPersonalTokens(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		made := w.makeToken(editor, "export", "")
		w.get("export", "/instances").want(http.StatusOK)
		var me struct{ ID string }
		w.get("export", "/user").want(http.StatusOK).into(&me)
		if me.ID != string(userIDs[editor]) {
			t.Errorf("the token is %s's", me.ID)
		}
		listed := list[personalToken](w.get(editor, "/user/tokens").want(http.StatusOK))
		want := made
		want.Token = ""
		if diff := cmp.Diff([]personalToken{want}, listed); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		w.call(viewer, "DELETE", "/user/tokens/"+made.ID, "").want(http.StatusNotFound)
		w.call(editor, "DELETE", "/user/tokens/"+made.ID, "").want(http.StatusNoContent)
		w.get("export", "/instances").want(http.StatusUnauthorized).says("revoked")
		w.call(editor, "DELETE", "/user/tokens/"+made.ID, "").want(http.StatusNotFound)
		if r := w.get(editor, "/user/tokens").want(http.StatusOK); r.body != "[]\n" {
			t.Errorf("still listed: %s", r.body)
		}
	})
}

// TestPersonalTokensAreShownOnce proves that what is kept is not the token.
func TestPersonalTokensAreShownOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var first, second personalToken
	body := `{"name":"export","expires_in_days":1}`
	w.call(admin, "POST", "/user/tokens", body, "Idempotency-Key", "k").want(http.StatusCreated).into(&first)
	w.call(admin, "POST", "/user/tokens", body, "Idempotency-Key", "k").want(http.StatusCreated).into(&second)
	if first.ID == second.ID {
		t.Error("the answer was kept")
	}
	signature := first.Token[strings.LastIndexByte(first.Token, '.')+1:]
	if seen := w.dump() + w.logged(); strings.Contains(seen, signature) || strings.Contains(seen, "\noutcomes ") {
		t.Error("the token, or its answer, is in the database or the log")
	}
}

// TestPersonalTokensDoNoMoreThanTheirOwner follows tokens while their owner's
// role changes, and ends.
func TestPersonalTokensDoNoMoreThanTheirOwner(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		change := func(who string) reply { return w.call(who, "PATCH", memberPath(viewer), `{"role":"viewer"}`) }
		w.call(admin, "PATCH", memberPath(guest), `{"role":"admin"}`).want(http.StatusOK)
		w.makeToken(guest, "whole", "")
		w.makeToken(guest, "lesser", `,"max_role":"viewer"`)
		change("whole").want(http.StatusOK)
		w.get("lesser", "/members").want(http.StatusOK)
		change("lesser").want(http.StatusForbidden).says("your token opens no more than viewer")

		w.call(admin, "PATCH", memberPath(guest), `{"role":"viewer"}`).want(http.StatusOK)
		change("whole").want(http.StatusForbidden).says("yours is viewer")
		w.get("whole", "/members").want(http.StatusOK)

		w.call(admin, "DELETE", memberPath(guest), "").want(http.StatusNoContent)
		for _, token := range []string{"whole", "lesser"} {
			w.get(token, "/members").want(http.StatusUnauthorized)
		}
		// Whoever comes back begins without tokens.
		w.write(func(tx cloud.Writer) error {
			return tx.AddMember(cloud.Member{OrganizationID: acme, User: cloud.User{ID: userIDs[guest]}, Role: cloud.RoleAdmin, JoinedAt: start})
		})
		w.get(guest, "/members").want(http.StatusOK)
		for _, token := range []string{"whole", "lesser"} {
			w.get(token, "/members").want(http.StatusUnauthorized).says("revoked")
		}
		if r := w.get(guest, "/user/tokens").want(http.StatusOK); r.body != "[]\n" {
			t.Errorf("still listed: %s", r.body)
		}
	})
}

// TestRevokedUntilNobodyBelievesIt forgets what has ended, second by second
// around the end of a token that was revoked: at no time does it open anything.
func TestRevokedUntilNobodyBelievesIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.makeToken(editor, "export", "")
	w.call(editor, "DELETE", "/user/tokens/"+made.ID, "").want(http.StatusNoContent)
	w.clock.Pass(made.ExpiresAt.Sub(w.clock.Now()) - 2*time.Second)
	token, keys := w.tokens["export"], w.tokens // the others have ended by then
	w.tokens = map[string]string{"export": token}
	for range int(auth.Leeway/time.Second) + 4 {
		w.clock.Pass(time.Second)
		w.write(func(tx cloud.Writer) error { return tx.DeleteExpired(w.clock.Now()) })
		w.get("export", "/user").want(http.StatusUnauthorized)
	}
	w.tokens = keys
	if strings.Contains(w.dump(), "\nrevoked_tokens ") {
		t.Error("the revocation is kept for ever")
	}
}

// TestPersonalTokensManageNothingOfThePerson proves that neither a personal token
// nor a program makes tokens, or does what is for a person alone.
func TestPersonalTokensManageNothingOfThePerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.dump()
	for who, says := range map[string]string{personal: "a personal token may not", program: "a service account may not"} {
		for _, operation := range []string{"ListPersonalTokens", "CreatePersonalToken", "DeletePersonalToken", "CreateOrganization", "AcceptInvitation", "LeaveOrganization"} {
			request := examples[operation]
			w.call(who, request.method, request.path, request.body).want(http.StatusForbidden).says(says)
		}
	}
	if diff := cmp.Diff(before, w.dump()); diff != "" {
		t.Errorf("refused, and yet the database changed:\n%s", diff)
	}
}

// TestTokensMakeNoGreaterTokens is about the boundaries of the token with which
// another is made.
func TestTokensMakeNoGreaterTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		who, more string
		want      int
		says      string // or the organization
	}{
		{several, "", 400, "organization_id"},
		{several, `,"organization_id":"acme"`, 400, "organization_id"},
		{several, `,"organization_id":"` + globex + `"`, 201, globex},
		{several, `,"organization_id":"` + strings.ToUpper(acme) + `"`, 201, acme},
		{several, `,"organization_id":"` + nobody + `"`, 403, "you do not belong"},
		{bound, "", 201, acme},
		{bound, `,"organization_id":"` + acme + `"`, 201, acme},
		{bound, `,"organization_id":"` + globex + `"`, 403, "you do not belong"},
		{viewer, `,"organization_id":"` + globex + `"`, 403, "you do not belong"},
		{loner, "", 403, "no organization"},
	} {
		r := w.call(c.who, "POST", "/user/tokens", `{"name":"x","expires_in_days":1`+c.more+`}`).want(c.want)
		if c.want != http.StatusCreated {
			r.says(c.says)
			continue
		}
		var made personalToken
		if r.into(&made); made.OrganizationID != c.says {
			t.Errorf("%s%s: it opens %s; want %s", r.what, c.more, made.OrganizationID, c.says)
		}
	}
	all := list[personalToken](w.get(several, "/user/tokens").want(http.StatusOK))
	some := list[personalToken](w.get(bound, "/user/tokens").want(http.StatusOK))
	if len(all) != 4 || len(some) != 3 {
		t.Errorf("got %d tokens, and %d with a token that is bound; want 4 and 3", len(all), len(some))
	}
	page := list[personalToken](w.get(bound, "/user/tokens?limit=2").want(http.StatusOK))
	if diff := cmp.Diff(some[:2], page); diff != "" {
		t.Errorf("a page (-want +got):\n%s", diff)
	}
	w.call(bound, "DELETE", "/user/tokens/"+all[0].ID, "").want(http.StatusNotFound) // globex's
	w.call(several, "DELETE", "/user/tokens/"+all[0].ID, "").want(http.StatusNoContent)
}

// TestEndsOfPersonalTokens tries ends around the bounds.
func TestEndsOfPersonalTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	whole := start.UTC().Truncate(time.Second)
	at := func(d time.Duration) string { return `"expires_at":"` + whole.Add(d).Format(time.RFC3339) + `"` }
	const year = 365 * 24 * time.Hour
	for _, c := range []struct {
		end  string
		want int
		says string
		at   time.Time
	}{
		{at(time.Hour), 201, "", whole.Add(time.Hour)},
		{at(time.Hour - time.Second), 400, "between an hour and 365 days", time.Time{}},
		{at(-time.Hour), 400, "between an hour and 365 days", time.Time{}},
		{at(year), 201, "", whole.Add(year)},
		{at(year + time.Second), 400, "between an hour and 365 days", time.Time{}},
		{`"expires_at":"2026-03-03T00:00:00.999+01:00"`, 201, "", time.Date(2026, 3, 2, 23, 0, 0, 0, time.UTC)},
		{`"expires_at":"9999-12-31T00:00:00Z"`, 400, "between an hour and 365 days", time.Time{}},
		{`"expires_at":"tomorrow"`, 400, "expires_at", time.Time{}},
		{`"expires_in_days":1`, 201, "", whole.Add(24 * time.Hour)},
		{`"expires_in_days":365`, 201, "", whole.Add(year)},
		{`"expires_in_days":366`, 400, "1 to 365", time.Time{}},
		{`"expires_in_days":0`, 400, "1 to 365", time.Time{}},
		{`"expires_in_days":-1`, 400, "1 to 365", time.Time{}},
		{`"expires_in_days":1,` + at(time.Hour), 400, "either expires_at or expires_in_days", time.Time{}},
		{`"x":1`, 400, "either expires_at or expires_in_days", time.Time{}},
	} {
		r := w.call(viewer, "POST", "/user/tokens", `{"name":"x",`+c.end+`}`).want(c.want)
		if c.want != http.StatusCreated {
			r.says(c.says)
			continue
		}
		var made personalToken
		if r.into(&made); !made.ExpiresAt.Equal(c.at) {
			t.Errorf("%s: it ends %v; want %v", c.end, made.ExpiresAt, c.at)
		}
	}
}

// TestWrongPersonalTokens says what is wrong with the rest of one.
func TestWrongPersonalTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.dump()
	for _, body := range []string{
		`{"expires_in_days":1}`, `{"name":"","expires_in_days":1}`, `{"name":" x","expires_in_days":1}`,
		`{"name":"a\u0000b","expires_in_days":1}`, `{"name":"` + strings.Repeat("é", 101) + `","expires_in_days":1}`,
	} {
		w.call(viewer, "POST", "/user/tokens", body).want(http.StatusBadRequest).says("name")
	}
	for _, role := range []string{`"king"`, `""`, `7`} {
		w.call(viewer, "POST", "/user/tokens", `{"name":"x","expires_in_days":1,"max_role":`+role+`}`).want(http.StatusBadRequest).says("max_role")
	}
	if diff := cmp.Diff(before, w.dump()); diff != "" {
		t.Errorf("refused, and yet the database changed:\n%s", diff)
	}
}

// TestPersonalTokensAreCounted makes many at once where one more is possible.
func TestPersonalTokensAreCounted(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		w.write(func(tx cloud.Writer) error {
			for i := range cloud.MaxPersonalTokens {
				token := cloud.PersonalToken{
					ID: cloud.ID(fmt.Sprintf("019cae00-0000-7000-c000-%012x", i)), UserID: userIDs[several], OrganizationID: acme,
					Name: "x", CreatedAt: start, ExpiresAt: start.Add(time.Hour + time.Duration(min(i, 1))*time.Hour),
				}
				if err := tx.CreatePersonalToken(token); err != nil {
					return err
				}
			}
			return nil
		})
		make1 := func(organization string) reply {
			return w.call(several, "POST", "/user/tokens", `{"name":"x","expires_in_days":1,"organization_id":"`+organization+`"}`)
		}
		make1(acme).want(http.StatusConflict).says("100 personal tokens")
		w.clock.Pass(time.Hour) // one ends
		counts := w.inParallel(10, func(i int) reply { return make1([]string{acme, globex}[i%2]) })
		if diff := cmp.Diff(map[int]int{http.StatusCreated: 1, http.StatusConflict: 9}, counts); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
