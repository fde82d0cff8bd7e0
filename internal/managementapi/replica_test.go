package managementapi_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/penstock-cloud/penstock/internal/auth/issuer"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

// at is the same world, of which the requests reach one process.
func (w *world) at(n int) *world {
	one := *w
	one.urls = w.urls[n : n+1]
	return &one
}

// TestChangesAreSeenByTheOtherReplica makes each change through one process
// after the other has answered, and kept, what it changes.
func TestChangesAreSeenByTheOtherReplica(t *testing.T) {
	t.Parallel()
	w := newReplicas(t)
	a, b := w.at(0), w.at(1)
	names := func(r reply) (names []string) {
		for _, item := range list[struct{ Name, Email string }](r.want(http.StatusOK)) {
			names = append(names, or(item.Name, item.Email))
		}
		return names
	}
	for _, step := range []struct {
		what, path, changed string
		change              func()
	}{
		{"a new key", "/user/keys", "desktop", func() {
			a.call(admin, "POST", "/user/keys", newKey("desktop", publicKey("desktop"))).want(http.StatusOK)
		}},
		{"a new invitation", "/invitations", "ada@example.com", func() {
			a.call(admin, "POST", "/invitations", invite("ada@example.com", "")).want(http.StatusCreated)
		}},
		{"an instance that is gone", "/instances", "trainer-01", func() {
			w.changeOf(machines()[0], func(tx cloud.Writer, o cloud.StoredObject) error {
				return tx.DeleteObjects(o.Region, []cloud.ObjectKey{o.ObjectKey})
			})
		}},
		{"a member who is gone", "/members", "The guest", func() {
			a.call(admin, "DELETE", memberPath(guest), "").want(http.StatusNoContent)
		}},
	} {
		var before, kept reply
		for range 2 {
			before, kept = a.get(admin, step.path), b.get(admin, step.path)
		}
		if etag := kept.header.Get("ETag"); etag == "" || etag != before.header.Get("ETag") {
			t.Errorf("before %s: the ETags are %q and %q; want the same", step.what, before.header.Get("ETag"), etag)
		}
		b.get(admin, step.path, "If-None-Match", kept.header.Get("ETag")).want(http.StatusNotModified)
		step.change()
		after := b.get(admin, step.path, "If-None-Match", kept.header.Get("ETag")).want(http.StatusOK)
		if slices.Contains(names(kept), step.changed) == slices.Contains(names(after), step.changed) {
			t.Errorf("%s: before %v, and after %v", step.what, names(kept), names(after))
		}
		if diff := a.get(admin, step.path); diff.body != after.body || diff.header.Get("ETag") != after.header.Get("ETag") {
			t.Errorf("%s: the processes differ:\n%s\n%s", step.what, diff, after)
		}
	}
	b.get(guest, "/instances").want(http.StatusForbidden) // and kept lists are nothing to those who left
}

// TestRolesAreSeenByTheOtherReplica takes roles away through one process while
// their holders use the other one.
func TestRolesAreSeenByTheOtherReplica(t *testing.T) {
	t.Parallel()
	w := newReplicas(t)
	a, b := w.at(0), w.at(1)
	b.get(guest, "/instances").want(http.StatusOK)
	a.call(admin, "PATCH", memberPath(guest), `{"role":"admin"}`).want(http.StatusOK)
	b.call(guest, "POST", "/invitations", invite("ada@example.com", "")).want(http.StatusCreated)
	a.call(admin, "PATCH", memberPath(guest), `{"role":"viewer"}`).want(http.StatusOK)
	b.call(guest, "POST", "/invitations", invite("bob@example.com", "")).want(http.StatusForbidden).says("yours is viewer")
	a.call(admin, "DELETE", memberPath(guest), "").want(http.StatusNoContent)
	b.get(guest, "/instances").want(http.StatusForbidden)
}

// TestLastAdminWaitsForTheOtherReplica has one process demote an admin while
// the other one does the same with the only other: the second waits, and counts
// what is left then. Fails without LockOrganization in reauthorize.
func TestLastAdminWaitsForTheOtherReplica(t *testing.T) {
	t.Parallel()
	w := newReplicas(t)
	w.call(admin, "PATCH", memberPath(editor), `{"role":"admin"}`).want(http.StatusOK)
	activity, err := pgx.Connect(t.Context(), w.database)
	if err != nil {
		t.Fatal(err)
	}
	defer activity.Close(context.WithoutCancel(t.Context()))
	answered := make(chan reply, 1)
	if err := w.stores[0].Write(t.Context(), func(tx cloud.Writer) error {
		if err := tx.LockOrganization(acme); err != nil {
			return err
		}
		if err := tx.SetRole(acme, userIDs[editor], cloud.RoleViewer); err != nil {
			return err
		}
		go func() { answered <- w.at(1).call(admin, "PATCH", memberPath(admin), `{"role":"viewer"}`) }()
		for waiting := 0; waiting == 0; {
			if err := activity.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
				WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	(<-answered).want(http.StatusConflict).says("last admin")
	if got := w.roles()[admin]; got != "admin" {
		t.Errorf("the last admin is now %q", got)
	}
}

// TestOneKeyOfManyProcesses has processes of a new plane start at once: they make
// one signing key. Fails without LockName of the signing keys.
func TestOneKeyOfManyProcesses(t *testing.T) {
	t.Parallel()
	w := newReplicas(t)
	ctx := context.WithoutCancel(t.Context())
	made, err := theCast()
	if err != nil {
		t.Fatal(err)
	}
	signing := func() (ids []string) {
		w.read(func(r cloud.Reader) error {
			keys, err := r.SigningKeys()
			for _, k := range keys {
				if k.RetiredAt.IsZero() {
					ids = append(ids, k.ID)
				}
			}
			return err
		})
		return ids
	}
	w.write(func(tx cloud.Writer) error {
		if err := tx.RetireSigningKey(made.keys[0].ID, start, start); err != nil {
			return err
		}
		return tx.DeleteExpiredSigningKeys(start)
	})
	atOnce := func(do func(*issuer.Issuer) error) {
		var all sync.WaitGroup
		for n := range 4 {
			keys := issuer.New(w.stores[n%2], w.clock.Now, w.newID)
			all.Go(func() {
				if err := do(keys); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if ids := signing(); len(ids) != 1 {
			t.Errorf("%d keys sign; want one: %s", len(ids), strings.Join(ids, ", "))
		}
	}
	atOnce(func(keys *issuer.Issuer) error { return keys.EnsureKey(ctx) })
	atOnce(func(keys *issuer.Issuer) error {
		_, err := keys.Rotate(ctx, func(cloud.Writer, issuer.Rotation) error { return nil })
		return err
	})
}
