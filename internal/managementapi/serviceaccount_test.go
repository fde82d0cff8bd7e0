package managementapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

const deployerPath = "/service-accounts/" + deployer

// TestServiceAccountsAreNotMembers proves that a program's account is in no list
// of members, and that nobody changes, removes or invites it as one.
func TestServiceAccountsAreNotMembers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if r := w.get(admin, "/members").want(http.StatusOK); strings.Contains(r.body, deployer) {
		t.Errorf("%s", r.body)
	}
	w.call(admin, "PATCH", "/members/"+deployer, `{"role":"admin"}`).want(http.StatusNotFound)
	w.call(admin, "DELETE", "/members/"+deployer, "").want(http.StatusNotFound)
	w.call(admin, "POST", "/invitations", invite(string(cloud.ServiceEmail("deployer", "acme")), "")).want(http.StatusBadRequest)
}

// TestServiceAccountsAreNoLastAdmin proves that an organization is not left to a
// program.
func TestServiceAccountsAreNoLastAdmin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(admin, "PATCH", deployerPath, `{"role":"admin"}`).want(http.StatusOK)
	w.call(program, "DELETE", memberPath(admin), "").want(http.StatusConflict).says("last admin")
	w.call(program, "PATCH", memberPath(admin), `{"role":"viewer"}`).want(http.StatusConflict).says("last admin")
	w.call(admin, "DELETE", memberPath(admin), "").want(http.StatusConflict).says("last admin")
	w.call(program, "PATCH", deployerPath, `{"role":"viewer"}`).want(http.StatusOK) // a program may go
}

// TestServiceAccountsDoWhatTheirRoleSays follows the role of one from request to
// request.
func TestServiceAccountsDoWhatTheirRoleSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	guestPath := memberPath(guest)
	w.get(program, "/instances").want(http.StatusOK)
	w.call(program, "PATCH", guestPath, `{"role":"editor"}`).want(http.StatusForbidden)
	w.call(admin, "PATCH", deployerPath, `{"role":"admin"}`).want(http.StatusOK)
	w.call(program, "PATCH", guestPath, `{"role":"editor"}`).want(http.StatusOK)
	w.call(admin, "PATCH", deployerPath, `{"role":"viewer"}`).want(http.StatusOK)
	w.call(program, "PATCH", guestPath, `{"role":"viewer"}`).want(http.StatusForbidden)
	w.get(program, "/instances", "X-ORG-ID", globex).want(http.StatusForbidden)
}

// TestServiceAccountsOutliveTheirCreator removes whoever made one.
func TestServiceAccountsOutliveTheirCreator(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.call(admin, "PATCH", memberPath(guest), `{"role":"admin"}`).want(http.StatusOK)
	w.call(guest, "DELETE", memberPath(admin), "").want(http.StatusNoContent)
	w.get(program, "/instances").want(http.StatusOK)
	w.get(guest, deployerPath).want(http.StatusOK)
}

// TestDeletedServiceAccountsAreNobody proves that all is gone with an account, at
// once, and that another of its name is another.
func TestDeletedServiceAccountsAreNobody(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		w.get(program, "/user/keys").want(http.StatusOK)
		w.call(admin, "DELETE", deployerPath, "").want(http.StatusNoContent)
		w.get(program, "/user").want(http.StatusUnauthorized).says("no longer exists")
		for _, path := range []string{"", "/secrets", "/keys"} {
			w.get(admin, deployerPath+path).want(http.StatusNotFound)
		}
		w.call(admin, "POST", "/service-accounts", `{"name":"deployer","role":"admin"}`).want(http.StatusCreated)
		w.get(program, "/user").want(http.StatusUnauthorized)
	})
}

// TestServiceSecrets follows the secrets of an account: two at a time, each shown
// once, and kept as a hash.
func TestServiceSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	type secret struct {
		ID         string
		Secret     string
		CreatedAt  time.Time  `json:"created_at"`
		LastUsedAt *time.Time `json:"last_used_at"`
	}
	path := deployerPath + "/secrets"
	w.clock.Pass(time.Hour)
	var made secret
	w.call(admin, "POST", path, "").want(http.StatusCreated).into(&made)
	if !strings.HasPrefix(made.Secret, "pss_") || len(made.Secret) != len("pss_")+43 {
		t.Errorf("got the secret %q", made.Secret)
	}
	before := w.dump()
	w.call(admin, "POST", path, "").want(http.StatusConflict).says("deployer has 2 secrets", "delete")
	if diff := cmp.Diff(before, w.dump()); diff != "" {
		t.Errorf("refused, and yet the database changed:\n%s", diff)
	}
	if strings.Contains(before, made.Secret) || strings.Contains(w.logged(), made.Secret) {
		t.Error("the secret is in the database or the log")
	}
	if !strings.Contains(before, string(cloud.NewSecret(made.Secret).Hash())) {
		t.Error("the hash of the secret is not in the database")
	}
	used := start.Add(30 * time.Minute).UTC().Truncate(time.Microsecond)
	w.write(func(tx cloud.Writer) error { return tx.UseServiceSecret(deployerSecret, used) })
	want := []secret{
		{ID: deployerSecret, CreatedAt: start.Add(-24 * time.Hour).UTC().Truncate(time.Microsecond), LastUsedAt: &used},
		{ID: made.ID, CreatedAt: made.CreatedAt},
	}
	if diff := cmp.Diff(want, list[secret](w.get(viewer, path).want(http.StatusOK))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.call(admin, "DELETE", path+"/"+foreignSecret, "").want(http.StatusNotFound)
	w.call(admin, "DELETE", path+"/"+deployerSecret, "").want(http.StatusNoContent)
	w.call(admin, "DELETE", path+"/"+deployerSecret, "").want(http.StatusNotFound)
	w.call(admin, "POST", path, "").want(http.StatusCreated)
}

// TestServiceSecretsAreNotKept sends a request for a secret again with the same
// key: nothing of the first answer is anywhere.
func TestServiceSecretsAreNotKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.call(admin, "POST", deployerPath+"/secrets", "", "Idempotency-Key", "k").want(http.StatusCreated)
	w.call(admin, "POST", deployerPath+"/secrets", "", "Idempotency-Key", "k").want(http.StatusConflict)
	if strings.Contains(w.dump(), "\noutcomes ") {
		t.Errorf("an answer is kept beside %s", first)
	}
}

// TestConcurrentServiceSecrets makes many at once: one is the second, and the
// others are too many.
func TestConcurrentServiceSecrets(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		counts := w.inParallel(10, func(int) reply { return w.call(admin, "POST", deployerPath+"/secrets", "") })
		if diff := cmp.Diff(map[int]int{http.StatusCreated: 1, http.StatusConflict: 9}, counts); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// TestServiceKeysAreTheAccountsOwn proves that the keys of an account are those
// that it has itself, and nobody else's.
func TestServiceKeysAreTheAccountsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := deployerPath + "/keys"
	w.call(admin, "POST", path, newKey("ci", publicKey("ci"))).want(http.StatusCreated)
	w.call(admin, "POST", path, newKey("ci", publicKey("other"))).want(http.StatusConflict)
	w.call(admin, "POST", path, newKey("again", publicKey("ci"))).want(http.StatusConflict)
	w.call(admin, "POST", path, newKey("my key", publicKey("x"))).want(http.StatusBadRequest).says("name")
	w.call(admin, "POST", path, newKey("x", "secret")).want(http.StatusBadRequest).says("key")
	theirs, own := w.get(viewer, path).want(http.StatusOK), w.get(program, "/user/keys").want(http.StatusOK)
	if theirs.body != own.body {
		t.Errorf("got %s; the account has %s", theirs.body, own.body)
	}
	for _, r := range []reply{w.get(admin, "/user/keys"), w.get(stranger, "/service-accounts/"+foreignAccount+"/keys")} {
		if strings.Contains(r.body, `"ci"`) {
			t.Errorf("%s: %s", r.what, r.body)
		}
	}
	w.call(admin, "DELETE", path+"/desktop", "").want(http.StatusNotFound)
	w.call(admin, "DELETE", path+"/ci", "").want(http.StatusNoContent)
}

// TestWrongServiceAccounts says what is wrong with one.
func TestWrongServiceAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.dump()
	for _, c := range []struct {
		method, path, body string
		want               int
		says               string
	}{
		{"POST", "/service-accounts", `{}`, 400, "required"},
		{"POST", "/service-accounts", `{"name":"builder"}`, 400, "role"},
		{"POST", "/service-accounts", `{"name":"builder","role":"king"}`, 400, "role"},
		{"POST", "/service-accounts", `{"name":"","role":"viewer"}`, 400, "name"},
		{"POST", "/service-accounts", `{"name":"The Builder","role":"viewer"}`, 400, "name"},
		{"POST", "/service-accounts", `{"name":"builder@globex","role":"viewer"}`, 400, "name"},
		{"POST", "/service-accounts", `{"name":"` + strings.Repeat("x", 64) + `","role":"viewer"}`, 400, "name"},
		{"POST", "/service-accounts", `{"name":"deployer","role":"viewer"}`, 409, "named deployer already"},
		{"PATCH", deployerPath, `{}`, 400, "role"},
		{"PATCH", deployerPath, `{"role":null}`, 400, "role"},
		{"PATCH", "/service-accounts/" + string(userIDs[guest]), `{"role":"viewer"}`, 404, "no service account"},
		{"DELETE", "/service-accounts/" + string(userIDs[guest]), "", 404, "no service account"},
		{"DELETE", deployerPath + "/secrets/x", "", 404, "no secret"},
	} {
		w.call(admin, c.method, c.path, c.body).want(c.want).says(c.says)
	}
	if diff := cmp.Diff(before, w.dump()); diff != "" {
		t.Errorf("refused, and yet the database changed:\n%s", diff)
	}
	w.call(admin, "POST", "/service-accounts", fmt.Sprintf(`{"name":%q,"role":"viewer"}`, strings.Repeat("x", 63))).want(http.StatusCreated)
}

// TestServiceAccountsEndWithAllTheirs deletes one that an issuer's tokens open, and
// tries before to make it have what it cannot.
func TestServiceAccountsEndWithAllTheirs(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, w *world) {
		if _, err := w.operator().LinkIdentity(t.Context(), string(cloud.ServiceEmail("deployer", "acme")), otherIssuer, "build"); err != nil {
			t.Fatal(err)
		}
		w.call(program, "POST", "/user/tokens", `{"name":"x","expires_in_days":1}`).want(http.StatusForbidden).says("a service account may not")
		w.call(program, "POST", "/organizations", called("Tidal Labs")).want(http.StatusForbidden).says("a service account may not")
		w.call(admin, "DELETE", deployerPath, "").want(http.StatusNoContent)
		w.read(func(tx cloud.Reader) error {
			if i, err := tx.Identity(otherIssuer, "build"); cloud.CodeOf(err) != cloud.CodeNotFound {
				t.Errorf("the issuer's subject is %+v, %v still", i, err)
			}
			return nil
		})
		w.get(program, "/instances").want(http.StatusUnauthorized)
	})
}
