package control_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
	"github.com/penstock-cloud/penstock/internal/store/sqlite/sqlitetest"
	"github.com/penstock-cloud/penstock/internal/store/storetest"
)

// TestAdmission is who is admitted to what, beyond what the HTTP tests send:
// tokens that say of themselves that they open less, or that were revoked.
func TestAdmission(t *testing.T) {
	t.Parallel()
	store, err := sqlite.OpenPlane(t.Context(), sqlitetest.Plane(t, filepath.Join(t.TempDir(), "plane.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	now := time.Date(2026, 3, 2, 15, 30, 0, 0, time.UTC)
	const acme, globex, ada = cloud.ID("019cae00-0000-7000-8000-0000000000a1"), cloud.ID("019cae00-0000-7000-8000-0000000000a2"), cloud.ID("019cae00-0000-7000-8000-0000000000c1")
	if err := store.Write(t.Context(), func(w cloud.Writer) error {
		user := cloud.User{ID: ada, Email: "ada@example.com", Kind: cloud.Person, CreatedAt: now}
		if err := w.CreateUser(user); err != nil {
			return err
		}
		for id, role := range map[cloud.ID]cloud.Role{acme: cloud.RoleAdmin, globex: cloud.RoleViewer} {
			if err := w.CreateOrganization(cloud.Organization{ID: id, Name: "o" + string(id[35:]), CreatedAt: now}); err != nil {
				return err
			}
			if err := w.AddMember(cloud.Member{OrganizationID: id, User: user, Role: role, JoinedAt: now}); err != nil {
				return err
			}
		}
		return w.RevokeToken(cloud.RevokedToken{UserID: ada, TokenID: "revoked", ExpiresAt: now.Add(time.Hour)})
	}); err != nil {
		t.Fatal(err)
	}
	c := control.New(storetest.Twice(store), func() time.Time { return now }, nil, cloud.DefaultHealthPolicy)
	limited := cloud.Principal{UserID: ada, MaxRole: cloud.RoleEditor}
	for name, tt := range map[string]struct {
		who       cloud.Principal
		action    cloud.Action
		asked     string
		named     bool // the organization, by the path
		code      cloud.Code
		says      string
		role      cloud.Role
		inRelated cloud.ID
	}{
		"a whole token":                        {cloud.Principal{UserID: ada}, cloud.ActionManageMembers, string(acme), false, "", "", cloud.RoleAdmin, acme},
		"a limited one, within its limit":      {limited, cloud.ActionChangeFleet, string(acme), false, "", "", cloud.RoleEditor, acme},
		"a limited one, beyond it":             {limited, cloud.ActionManageMembers, string(acme), false, cloud.CodeForbidden, "your token opens no more than editor", cloud.RoleEditor, acme},
		"a limited one, of who is less":        {limited, cloud.ActionChangeFleet, string(globex), false, cloud.CodeForbidden, "yours is viewer", cloud.RoleViewer, globex},
		"a revoked one":                        {cloud.Principal{UserID: ada, TokenID: "revoked"}, cloud.ActionReadFleet, string(acme), false, cloud.CodeUnauthenticated, "revoked", "", ""},
		"a revoked one, for no organization":   {cloud.Principal{UserID: ada, TokenID: "revoked"}, cloud.ActionReadCloud, "", false, cloud.CodeUnauthenticated, "revoked", "", ""},
		"a revoked one, for a wrong one":       {cloud.Principal{UserID: ada, TokenID: "revoked"}, cloud.ActionReadFleet, "x", false, cloud.CodeUnauthenticated, "revoked", "", ""},
		"another one":                          {cloud.Principal{UserID: ada, TokenID: "another"}, cloud.ActionReadFleet, string(acme), false, "", "", cloud.RoleAdmin, acme},
		"nobody":                               {cloud.Principal{UserID: acme}, cloud.ActionReadCloud, "", false, cloud.CodeUnauthenticated, "no longer exists", "", ""},
		"one named by the path":                {cloud.Principal{UserID: ada}, cloud.ActionManageOrganization, strings.ToUpper(string(acme)), true, "", "", cloud.RoleAdmin, acme},
		"a foreign one named by the path":      {cloud.Principal{UserID: ada}, cloud.ActionManageOrganization, string(ada), true, cloud.CodeNotFound, "no organization", "", ""},
		"none named by the path":               {cloud.Principal{UserID: ada}, cloud.ActionManageOrganization, "", true, cloud.CodeNotFound, "no organization", "", ""},
		"outside of the token, by the path":    {cloud.Principal{UserID: ada, OrganizationID: globex}, cloud.ActionManageOrganization, string(acme), true, cloud.CodeNotFound, "no organization", "", ""},
		"in the path, by who may only read it": {cloud.Principal{UserID: ada}, cloud.ActionManageOrganization, string(globex), true, cloud.CodeForbidden, "yours is viewer", cloud.RoleViewer, globex},
	} {
		admit := c.Admit
		if tt.named {
			admit = c.AdmitTo
		}
		got, err := admit(t.Context(), tt.who, tt.action, tt.asked)
		if cloud.CodeOf(err) != tt.code || (err == nil) != (tt.code == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v; want %q that says %q", name, err, tt.code, tt.says)
		}
		if got.Role != tt.role || got.Relation.OrganizationID != tt.inRelated {
			t.Errorf("%s: admitted as %q in %q; want %q in %q", name, got.Role, got.Relation.OrganizationID, tt.role, tt.inRelated)
		}
	}
}
