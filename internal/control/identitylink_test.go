package control_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
	"github.com/penstock-cloud/penstock/internal/store/sqlite/sqlitetest"
)

// TestLinkedIdentities follows an issuer's subject from nobody to a service
// account, and back.
func TestLinkedIdentities(t *testing.T) {
	t.Parallel()
	const issuer, subject = "https://login.example.com", "repo:acme/ci"
	const account, organization = cloud.ID("019cae00-0000-7000-8000-000000000001"), cloud.ID("019cae00-0000-7000-8000-000000000002")
	ctx := t.Context()
	store, err := sqlite.OpenPlane(ctx, sqlitetest.Plane(t, filepath.Join(t.TempDir(), "plane.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	now := time.Date(2026, 3, 2, 15, 30, 0, 0, time.UTC)
	n := 0
	newID := func() cloud.ID { n++; return cloud.ID(fmt.Sprintf("019cae00-0000-7000-9000-%012x", n)) }
	use := control.New(store, func() time.Time { return now }, newID, cloud.DefaultHealthPolicy)
	operator := use.As(cloud.Actor{Kind: cloud.ActorOperator, ID: "root"})
	email := cloud.ServiceEmail("ci", "acme")
	expires := now.Add(time.Hour)
	write := func(fn func(cloud.Writer) error) {
		t.Helper()
		if err := store.Write(ctx, fn); err != nil {
			t.Fatal(err)
		}
	}
	write(func(w cloud.Writer) error {
		if err := w.CreateOrganization(cloud.Organization{ID: organization, Name: "acme", CreatedAt: now}); err != nil {
			return err
		}
		return w.CreateServiceAccount(cloud.ServiceAccount{ID: account, OrganizationID: organization, Name: "ci", Role: cloud.RoleEditor, CreatedAt: now}, email)
	})
	isNobody := func(when string) {
		t.Helper()
		if got, err := use.AccountOf(ctx, issuer, subject); cloud.CodeOf(err) != cloud.CodeNotFound {
			t.Errorf("%s: got %q, %v", when, got, err)
		}
	}

	isNobody("before")
	if _, err := operator.LinkIdentity(ctx, string(email), issuer, subject); err != nil {
		t.Fatal(err)
	}
	if got, err := use.AccountOf(ctx, issuer, subject); err != nil || got != account {
		t.Errorf("got %q, %v", got, err)
	}
	want := []cloud.Identity{{Issuer: issuer, Subject: subject, UserID: account, Email: email, CreatedAt: now}}
	if got, err := operator.Identities(ctx, string(email)); err != nil {
		t.Error(err)
	} else if diff := cmp.Diff(want, got, cmp.Transformer("UTC", time.Time.UTC)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	// Whatever began by it ends with it.
	var ids []string
	write(func(w cloud.Writer) (err error) {
		if ids, err = letIn(w, account, now); err != nil {
			return err
		}
		if err := w.CreateSession(cloud.Session{Hash: "s", UserID: account, Issuer: issuer, Subject: subject, CreatedAt: now, ExpiresAt: expires}); err != nil {
			return err
		}
		return w.CreateRefreshToken(cloud.RefreshToken{
			Hash: "r", Family: "f", UserID: account, ClientID: "cli", Parameters: []byte("{}"), TokenID: "jti", TokenEnd: expires, AuthTime: now, CreatedAt: now, ExpiresAt: expires,
		})
	})
	if _, err := operator.UnlinkIdentity(ctx, issuer, subject); err != nil {
		t.Fatal(err)
	}
	isNobody("after")
	allOut(t, store, account, ids, now)
	err = store.Read(ctx, func(r cloud.Reader) error {
		if _, err := r.Session("s", now); cloud.CodeOf(err) != cloud.CodeNotFound {
			t.Errorf("its session is there still: %v", err)
		}
		if _, err := r.RefreshToken("r", now); cloud.CodeOf(err) != cloud.CodeNotFound {
			t.Errorf("its refresh token is there still: %v", err)
		}
		if revoked, err := r.RevokedTokens(account); err != nil || len(revoked) != 3 {
			t.Errorf("its access token is good still: %v, %v", revoked, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestIdentitiesThatCannotBeLinked(t *testing.T) {
	t.Parallel()
	store, err := sqlite.OpenPlane(t.Context(), sqlitetest.Plane(t, filepath.Join(t.TempDir(), "plane.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	operator := control.New(store, time.Now, nil, cloud.DefaultHealthPolicy).As(cloud.Actor{})
	for name, c := range map[string]struct {
		do   func(context.Context) error
		want cloud.Code
	}{
		"an unknown address": {func(ctx context.Context) error {
			_, err := operator.LinkIdentity(ctx, "a@example.com", "https://i.example.com", "s")
			return err
		}, cloud.CodeNotFound},
		"no address": {func(ctx context.Context) error {
			_, err := operator.LinkIdentity(ctx, "ada", "https://i.example.com", "s")
			return err
		}, cloud.CodeInvalid},
		"an issuer by name": {func(ctx context.Context) error {
			_, err := operator.LinkIdentity(ctx, "a@example.com", "mail", "s")
			return err
		}, cloud.CodeInvalid},
		"no subject": {func(ctx context.Context) error {
			_, err := operator.LinkIdentity(ctx, "a@example.com", "https://i.example.com", "")
			return err
		}, cloud.CodeInvalid},
		"to unlink what opens": {func(ctx context.Context) error {
			_, err := operator.UnlinkIdentity(ctx, "https://i.example.com", "s")
			return err
		}, cloud.CodeNotFound},
		"to list nobody's": {func(ctx context.Context) error { _, err := operator.Identities(ctx, "a@example.com"); return err }, cloud.CodeNotFound},
	} {
		if err := c.do(t.Context()); cloud.CodeOf(err) != c.want {
			t.Errorf("%s: got %v, want the code %s", name, err, c.want)
		}
	}
}
