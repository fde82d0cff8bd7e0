package sqlite_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
)

var (
	standingUser = cloud.User{ID: "user", Email: "ada@example.com", Name: "Ada", Kind: cloud.Person, CreatedAt: now}
	standingOrg  = cloud.Organization{ID: "acme", Name: "acme", CreatedAt: now}
)

// employ makes the user an admin of the organization.
func employ(w cloud.Writer) error {
	if err := w.CreateOrganization(standingOrg); err != nil {
		return err
	}
	if err := w.CreateUser(standingUser); err != nil {
		return err
	}
	return w.AddMember(cloud.Member{OrganizationID: standingOrg.ID, User: standingUser, Role: cloud.RoleAdmin, JoinedAt: now})
}

func dismiss(w cloud.Writer) error { return w.RemoveMember(standingOrg.ID, standingUser.ID) }

// checkRole compares the user's role, "" for none, read twice: the second
// reading may come from memory.
func checkRole(t *testing.T, p *sqlite.Plane, when string, want cloud.Role) {
	t.Helper()
	for range 2 {
		s, err := p.Standing(t.Context(), standingUser.ID)
		if err != nil {
			t.Fatalf("%s: Standing: %v", when, err)
		}
		var got cloud.Role
		for _, r := range s.Relations {
			got = r.Role
		}
		if got != want {
			t.Errorf("%s: the role is %q; want %q", when, got, want)
		}
	}
}

// Whoever commits, the next reading of a standing knows of it.
func TestStandingIsNeverOld(t *testing.T) {
	t.Parallel()
	for name, dismissed := range map[string]func(t *testing.T, p *sqlite.Plane, path string){
		"by the same store": func(t *testing.T, p *sqlite.Plane, _ string) {
			if err := p.Write(t.Context(), dismiss); err != nil {
				t.Fatal(err)
			}
		},
		"by another store": func(t *testing.T, _ *sqlite.Plane, path string) {
			if err := open(t, path).Write(t.Context(), dismiss); err != nil {
				t.Fatal(err)
			}
		},
		"by another program": func(t *testing.T, _ *sqlite.Plane, path string) {
			execute(t, path, "DELETE FROM members")
		},
		"after the log began anew": func(t *testing.T, p *sqlite.Plane, path string) {
			for range 3 {
				execute(t, path, "PRAGMA wal_checkpoint(TRUNCATE)")
				checkRole(t, p, "after a checkpoint", cloud.RoleAdmin)
			}
			execute(t, path, "DELETE FROM members")
		},
		"by the loss of the database": func(t *testing.T, _ *sqlite.Plane, path string) {
			copied := path + ".copy"
			other := open(t, copied)
			for _, fn := range []func(cloud.Writer) error{employ, dismiss} {
				if err := other.Write(t.Context(), fn); err != nil {
					t.Fatal(err)
				}
			}
			if err := other.Close(); err != nil {
				t.Fatal(err)
			}
			for _, suffix := range []string{"", "-wal", "-shm"} {
				if err := os.Remove(path + suffix); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Rename(copied, path); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "plane.db")
			p := open(t, path)
			if err := p.Write(t.Context(), employ); err != nil {
				t.Fatal(err)
			}
			checkRole(t, p, "before", cloud.RoleAdmin)
			dismissed(t, p, path)
			checkRole(t, p, "after", "")
		})
	}
}

func TestStandingKnowsOfOtherProcesses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "plane.db")
	p := open(t, path)
	if err := p.Write(t.Context(), employ); err != nil {
		t.Fatal(err)
	}
	for want := range int64(3) {
		if want > 0 {
			if err := process(t, path, string('a'+rune(want))).Run(); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			s, err := p.Standing(t.Context(), standingUser.ID)
			if err != nil || s.HealthRevision != want {
				t.Fatalf("got the revision %d and the error %v; want %d", s.HealthRevision, err, want)
			}
		}
	}
}

// What is rolled back was never so.
func TestStandingDuringAWrite(t *testing.T) {
	t.Parallel()
	p := open(t, filepath.Join(t.TempDir(), "plane.db"))
	if err := p.Write(t.Context(), employ); err != nil {
		t.Fatal(err)
	}
	err := p.Write(t.Context(), func(w cloud.Writer) error {
		if err := dismiss(w); err != nil {
			return err
		}
		checkRole(t, p, "before the commit", cloud.RoleAdmin)
		return os.ErrInvalid
	})
	if err == nil {
		t.Fatal("the write did not fail")
	}
	checkRole(t, p, "after the rollback", cloud.RoleAdmin)
}

// Who changes the standing that they were given changes nobody else's.
func TestStandingIsTheCallersOwn(t *testing.T) {
	t.Parallel()
	p := open(t, filepath.Join(t.TempDir(), "plane.db"))
	if err := p.Write(t.Context(), employ); err != nil {
		t.Fatal(err)
	}
	want := []cloud.Relation{{OrganizationID: standingOrg.ID, Role: cloud.RoleAdmin}}
	for range 3 {
		s, err := p.Standing(t.Context(), standingUser.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, s.Relations); diff != "" {
			t.Fatal(diff)
		}
		s.Relations[0].Role = cloud.RoleViewer
	}
}
