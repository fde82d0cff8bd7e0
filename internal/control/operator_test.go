package control_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
	"github.com/penstock-cloud/penstock/internal/store/storetest"
)

// TestOperatorsChangesAreAudited does what an operator can do, on a store as it
// is and on one whose transactions run twice. Each line of the audit is one
// change: action, target, before, after.
func TestOperatorsChangesAreAudited(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(cloud.Store) cloud.Store{"once": func(s cloud.Store) cloud.Store { return s }, "twice": storetest.Twice} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, dir := t.Context(), t.TempDir()
			plane, err := sqlite.OpenPlane(ctx, filepath.Join(dir, "plane.db"))
			if err != nil {
				t.Fatal(err)
			}
			defer plane.Close()
			n := 0
			newID := func() cloud.ID { n++; return cloud.ID(fmt.Sprintf("019cae00-0000-7000-9000-%012x", n)) }
			now := func() time.Time { return time.Date(2026, 3, 2, 15, 30, 0, 0, time.UTC) }
			ada := cloud.Actor{Kind: cloud.ActorOperator, ID: "ada"}
			operator := control.New(wrap(plane), now, newID, cloud.DefaultHealthPolicy).As(ada)

			var secret cloud.Secret
			backup := filepath.Join(dir, "backup.db")
			for _, step := range []struct {
				what string
				do   func() error
				want []string // in the audit; the ids in it are left out
			}{
				{"make the first organization", func() error { _, err := operator.EnsureOrganization(ctx, "acme", ""); return err }, []string{"organization.create"}},
				{"ensure it", func() error { _, err := operator.EnsureOrganization(ctx, "acme", ""); return err }, nil},
				{"make another", func() error { _, err := operator.CreateOrganization(ctx, "globex", "Globex"); return err }, []string{"organization.create"}},
				{"make it again", conflict(func() error { _, err := operator.CreateOrganization(ctx, "globex", ""); return err }), nil},
				{"make the first admin", func() error { _, err := operator.EnsureFirstAdmin(ctx, "root@example.com"); return err }, []string{"user.create", "member.create"}},
				{"ensure them", func() error { _, err := operator.EnsureFirstAdmin(ctx, "ROOT@example.com"); return err }, nil},
				{"make a member", func() error { _, err := operator.EnsureMember(ctx, "bob@example.com", "viewer", "globex"); return err }, []string{"user.create", "member.create"}},
				{"ensure them", func() error { _, err := operator.EnsureMember(ctx, "Bob@example.com", "viewer", "globex"); return err }, nil},
				{"add them elsewhere", func() error { _, err := operator.EnsureMember(ctx, "bob@example.com", "editor", ""); return err }, []string{"member.create"}},
				{"promote them", conflict(func() error { _, err := operator.EnsureMember(ctx, "bob@example.com", "admin", ""); return err }), nil},
				{"make a region", func() (err error) {
					secret, err = operator.CreateRegion(ctx, "west-1", "https://west-1.example.com")
					return err
				}, []string{"region.create west-1"}},
				{"make it again", conflict(func() error { _, err := operator.CreateRegion(ctx, "west-1", "https://west-1.example.com"); return err }), nil},
				{"ensure it", func() error { return ensure(ctx, operator, "https://west-1.example.com", secret, true) }, nil},
				{"move it", func() error { return ensure(ctx, operator, "https://west.example.com", secret, true) }, []string{"region.update west-1"}},
				{"lose its credential", func() error { return ensure(ctx, operator, "https://west.example.com", cloud.Secret{}, false) }, []string{"region.credential.revoke west-1", "region.credential.create west-1"}},
				{"rotate it", func() error { _, err := operator.RotateCredential(ctx, "west-1"); return err }, []string{"region.credential.create west-1"}},
				{"rotate it once more", conflict(func() error { _, err := operator.RotateCredential(ctx, "west-1"); return err }), nil},
				{"revoke both", func() error { _, err := operator.RevokeCredentials(ctx, "west-1", ""); return err }, []string{"region.credential.revoke west-1", "region.credential.revoke west-1"}},
				{"revoke none", conflict(func() error { _, err := operator.RevokeCredentials(ctx, "west-1", ""); return err }), nil},
				{"deny an organization", func() error { return operator.AdmitOrganization(ctx, "west-1", "acme", false) }, []string{"region.access west-1"}},
				{"deny it again", func() error { return operator.AdmitOrganization(ctx, "west-1", "acme", false) }, nil},
				{"allow all", func() error { return operator.AdmitAll(ctx, "west-1", true) }, []string{"region.access west-1"}},
				{"make a region for one", func() error {
					_, err := operator.CreateRegion(ctx, "east-1", "https://east-1.example.com", "acme")
					return err
				}, []string{"region.create east-1"}},
				{"accept nothing", conflict(func() error { _, err := operator.AcceptMissing(ctx, "west-1"); return err }), nil},
				{"suspend an organization", func() error { return operator.SuspendOrganization(ctx, "globex", true) }, []string{"organization.suspend"}},
				{"suspend it again", func() error { return operator.SuspendOrganization(ctx, "globex", true) }, nil},
				{"resume it", func() error { return operator.SuspendOrganization(ctx, "globex", false) }, []string{"organization.resume"}},
				{"resume it again", func() error { return operator.SuspendOrganization(ctx, "globex", false) }, nil},
				{"suspend none", absent(func() error { return operator.SuspendOrganization(ctx, "initech", true) }), nil},
				{"suspend a user", func() error { return operator.SuspendUser(ctx, "BOB@example.com", true) }, []string{"user.suspend"}},
				{"suspend them again", func() error { return operator.SuspendUser(ctx, "bob@example.com", true) }, nil},
				{"resume them", func() error { return operator.SuspendUser(ctx, "bob@example.com", false) }, []string{"user.resume"}},
				{"suspend nobody", absent(func() error { return operator.SuspendUser(ctx, "eve@example.com", true) }), nil},
				{"link an identity", func() error {
					_, err := operator.LinkIdentity(ctx, "Bob@example.com", "https://login.example.com", "idp|bob")
					return err
				}, []string{"identity.link"}},
				{"link it to another", conflict(func() error {
					_, err := operator.LinkIdentity(ctx, "root@example.com", "https://login.example.com", "idp|bob")
					return err
				}), nil},
				{"unlink it", func() error {
					_, err := operator.UnlinkIdentity(ctx, "https://login.example.com", "idp|bob")
					return err
				}, []string{"identity.unlink"}},
				{"back up", func() error { return operator.Backup(ctx, backup) }, []string{"database.backup " + backup}},
			} {
				before := len(audit(t, plane))
				if err := step.do(); err != nil {
					t.Fatalf("%s: %v", step.what, err)
				}
				var got []string
				for _, e := range audit(t, plane)[before:] {
					line := e.Action
					if e.OrganizationID == "" && !strings.HasPrefix(e.Action, "user.") && !strings.HasPrefix(e.Action, "identity.") {
						line += " " + e.Target
					}
					got = append(got, line)
					if e.Actor != ada || e.Target == "" || !e.At.Equal(now()) {
						t.Errorf("%s: who, what or when is missing: %+v", step.what, e)
					}
				}
				if diff := cmp.Diff(step.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", step.what, diff)
				}
			}
		})
	}
}

// absent expects that something is not there.
func absent(do func() error) func() error {
	return func() error {
		if err := do(); cloud.CodeOf(err) != cloud.CodeNotFound {
			return fmt.Errorf("got %w; want that it is not found", err)
		}
		return nil
	}
}

// conflict expects one.
func conflict(do func() error) func() error {
	return func() error {
		if err := do(); cloud.CodeOf(err) != cloud.CodeConflict {
			return fmt.Errorf("got %w; want a conflict", err)
		}
		return nil
	}
}

// ensure asks for a region's credential, and whether it is the one that the
// region has.
func ensure(ctx context.Context, o control.Operator, url string, have cloud.Secret, kept bool) error {
	got, err := o.EnsureRegion(ctx, "west-1", url, have)
	if err == nil && (got.Reveal() == have.Reveal()) != kept {
		return fmt.Errorf("kept its credential: %v; want %v", !kept, kept)
	}
	return err
}

// audit is every entry, in the order of their ids.
func audit(t *testing.T, s cloud.Store) []cloud.AuditEntry {
	t.Helper()
	var all []cloud.AuditEntry
	err := s.Read(t.Context(), func(r cloud.Reader) error {
		all = nil
		owners := []cloud.ID{""}
		for _, name := range []string{"acme", "globex"} {
			organization, err := r.OrganizationByName(name)
			if err == nil {
				owners = append(owners, organization.ID)
			}
		}
		for _, owner := range owners {
			entries, err := r.Audit(owner, cloud.AuditFilter{}, cloud.Page{})
			if err != nil {
				return err
			}
			all = append(all, entries...)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(all, func(a, b cloud.AuditEntry) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return all
}
