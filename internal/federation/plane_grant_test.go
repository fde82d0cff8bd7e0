package federation_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/federation"
	"github.com/penstock-cloud/penstock/internal/federation/wire"
)

// The subjects of tokens.
const (
	ada cloud.ID = "0195c0de-0000-7000-8000-0000000000a1"
	ben cloud.ID = "0195c0de-0000-7000-8000-0000000000a2"
)

// join makes a user who is a member of acme.
func (s *stand) join(id cloud.ID, role cloud.Role) {
	s.t.Helper()
	s.write(func(w cloud.Writer) error {
		user := cloud.User{ID: id, Email: cloud.Email(string(id) + "@example.com"), Kind: cloud.Person}
		if err := w.CreateUser(user); err != nil {
			return err
		}
		return w.AddMember(cloud.Member{OrganizationID: acme, User: user, Role: role})
	})
}

func (s *stand) setRole(id cloud.ID, role cloud.Role) {
	s.t.Helper()
	s.write(func(w cloud.Writer) error { return w.SetRole(acme, id, role) })
}

func (s *stand) expel(id cloud.ID) {
	s.t.Helper()
	s.write(func(w cloud.Writer) error { return w.RemoveMember(acme, id) })
}

func (s *stand) register(id cloud.ID, name, line string) {
	s.t.Helper()
	s.write(func(w cloud.Writer) error {
		return w.CreateSSHKey(cloud.SSHKey{UserID: id, Name: name, Line: line, Fingerprint: line})
	})
}

func (s *stand) grant(subject, organization cloud.ID) wire.Grant {
	s.t.Helper()
	grant, err := s.plane.Grant(s.t.Context(), west, string(subject), string(organization))
	if err != nil {
		s.t.Fatal(err)
	}
	return grant
}

func (s *stand) revision() uint64 {
	s.t.Helper()
	return read(s, cloud.Reader.Plane).GrantRevision
}

func TestGrants(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.join(ada, cloud.RoleEditor)
	s.register(ada, "laptop", "ssh-ed25519 AAAA2")
	s.register(ada, "desk", "ssh-ed25519 AAAA1")
	role := wire.GrantRoleEditor
	want := wire.Grant{Revision: s.revision(), Role: &role, SSHKeys: []string{"ssh-ed25519 AAAA1", "ssh-ed25519 AAAA2"}}
	if diff := gocmp.Diff(want, s.grant(ada, acme)); diff != "" {
		t.Errorf("a member's grant (-want +got):\n%s", diff)
	}
	s.expel(ada)
	if diff := gocmp.Diff(wire.Grant{Revision: want.Revision + 1, SSHKeys: []string{}}, s.grant(ada, acme)); diff != "" {
		t.Errorf("the grant of one who was removed (-want +got):\n%s", diff)
	}
}

// TestGrantsOfTheSuspended suspends a member, and then the organization: either
// is told, and so is that it has changed.
func TestGrantsOfTheSuspended(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.join(ada, cloud.RoleEditor)
	operator := control.New(s.store, s.clock, s.newID, cloud.DefaultHealthPolicy).As(cloud.Actor{Kind: cloud.ActorOperator, ID: "root"})
	user := func(suspended bool) error {
		return operator.SuspendUser(t.Context(), string(ada)+"@example.com", suspended)
	}
	organization := func(suspended bool) error { return operator.SuspendOrganization(t.Context(), "acme", suspended) }
	for _, step := range []struct {
		what      string
		change    func(bool) error
		to        bool
		suspended bool
		key       cloud.GrantKey
	}{
		{"the user", user, true, true, cloud.GrantKey{Subject: ada}},
		{"the organization too", organization, true, true, cloud.GrantKey{Organization: acme}},
		{"no more the user", user, false, true, cloud.GrantKey{Subject: ada}},
		{"neither", organization, false, false, cloud.GrantKey{Organization: acme}},
	} {
		before := s.revision()
		if err := step.change(step.to); err != nil {
			t.Fatal(err)
		}
		got := s.grant(ada, acme)
		if suspended := got.Suspended != nil && *got.Suspended; suspended != step.suspended || got.Role == nil {
			t.Errorf("%s: suspended is %v, with the role %v", step.what, suspended, got.Role)
		}
		changed := read(s, func(r cloud.Reader) ([]cloud.GrantKey, error) { return r.GrantChanges(before, 10) })
		if diff := gocmp.Diff([]cloud.GrantKey{step.key}, changed); diff != "" {
			t.Errorf("%s, told is (-want +got):\n%s", step.what, diff)
		}
		if err := step.change(step.to); err != nil || s.revision() != before+1 {
			t.Errorf("%s, again: %v, with the revision %d after %d", step.what, err, s.revision(), before)
		}
	}
}

func TestGrantsNameRevokedTokens(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.join(ada, cloud.RoleEditor)
	s.write(func(w cloud.Writer) error {
		for _, id := range []string{"one", "two"} {
			if err := w.RevokeToken(cloud.RevokedToken{UserID: ada, TokenID: id, ExpiresAt: s.clock().Add(time.Hour)}); err != nil {
				return err
			}
		}
		return nil
	})
	if got := s.grant(ada, acme).RevokedTokens; !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("revoked are %v", got)
	}
	s.expel(ada)
	if got := s.grant(ada, acme).RevokedTokens; got != nil {
		t.Errorf("of one who is no member, revoked are %v", got)
	}
}

// Whoever asks learns of nobody who is not a member: neither that there is an
// organization, nor that there is a user, nor their keys.
func TestNoRoleReadsTheSameForEveryReason(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.join(ada, cloud.RoleAdmin)
	s.register(ada, "laptop", "ssh-ed25519 AAAA")
	nothing := wire.Grant{Revision: s.revision(), SSHKeys: []string{}}
	for name, who := range map[string]struct{ subject, organization cloud.ID }{
		"a member of another organization":                 {ada, bolt},
		"an organization that does not exist":              {ada, project},
		"nobody, in an organization":                       {ben, acme},
		"nobody, in one that does not exist":               {ben, project},
		"an organization and a user in each other's place": {acme, ada},
	} {
		if diff := gocmp.Diff(nothing, s.grant(who.subject, who.organization)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A region learns nothing of the members of an organization that it may not
// serve, and another region does.
func TestARegionThatMayNotServeGetsNoGrants(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.join(ada, cloud.RoleAdmin)
	s.register(ada, "laptop", "ssh-ed25519 AAAA")
	s.write(func(w cloud.Writer) error { return w.SetAccess(west, cloud.Access{Except: []cloud.ID{acme}}) })
	if diff := gocmp.Diff(wire.Grant{Revision: s.revision(), SSHKeys: []string{}}, s.grant(ada, acme)); diff != "" {
		t.Errorf("in the region that may not (-want +got):\n%s", diff)
	}
	if got, err := s.plane.Grant(t.Context(), east, string(ada), string(acme)); err != nil || got.Role == nil {
		t.Errorf("in the region that may: %+v, %v", got, err)
	}
}

func TestGrantsAreBounded(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.join(ada, cloud.RoleEditor)
	s.join(ben, cloud.RoleEditor)
	for n := range 5 {
		s.register(ada, fmt.Sprint(n), fmt.Sprint(n)+strings.Repeat("x", 16<<10-1))
	}
	for n := range 202 {
		s.register(ben, fmt.Sprintf("%03d", n), fmt.Sprint(n))
	}
	if got := len(s.grant(ada, acme).SSHKeys); got != 4 {
		t.Errorf("%d keys of 16 KiB were told, want the 4 that fit", got)
	}
	if got := s.grant(ben, acme).SSHKeys; len(got) != 200 || got[199] != "199" {
		t.Errorf("%d keys were told, want the first 200", len(got))
	}
}

// belongs makes a member of acme one of another organization too.
func (s *stand) belongs(subject, organization cloud.ID, role cloud.Role) {
	s.t.Helper()
	s.write(func(w cloud.Writer) error {
		return w.AddMember(cloud.Member{OrganizationID: organization, User: cloud.User{ID: subject}, Role: role})
	})
}

func (s *stand) organizations(region string, subject cloud.ID) wire.Grant {
	s.t.Helper()
	answer, err := s.plane.Organizations(s.t.Context(), region, string(subject))
	if err != nil {
		s.t.Fatal(err)
	}
	return answer
}

func TestWhereASubjectBelongs(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.join(ada, cloud.RoleEditor)
	s.register(ada, "laptop", "ssh-ed25519 AAAA")
	s.belongs(ada, bolt, cloud.RoleViewer)
	in := func(list ...wire.Membership) wire.Grant {
		return wire.Grant{Revision: s.revision(), SSHKeys: []string{}, Organizations: list}
	}
	acmes := wire.Membership{Organization: string(acme), Role: wire.MembershipRoleEditor}
	bolts := wire.Membership{Organization: string(bolt), Role: wire.MembershipRoleViewer}
	check := func(what string, got, want wire.Grant) {
		t.Helper()
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	check("a member of two", s.organizations(west, ada), in(acmes, bolts))
	check("nobody", s.organizations(west, ben), in())
	check("an organization's id", s.organizations(west, acme), in())
	s.write(func(w cloud.Writer) error { return w.SetAccess(west, cloud.Access{Except: []cloud.ID{acme}}) })
	check("in a region that may not serve one", s.organizations(west, ada), in(bolts))
	check("in a region that may", s.organizations(east, ada), in(acmes, bolts))
	s.write(func(w cloud.Writer) error { return w.SetAccess(east, cloud.Access{Closed: true}) })
	check("in a region that may serve nobody", s.organizations(east, ada), in())
	s.expel(ada)
	check("one who was removed from one", s.organizations(west, ada), in(bolts))
}

func TestWhereASubjectBelongsIsBounded(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	s.join(ada, cloud.RoleEditor)
	s.write(func(w cloud.Writer) error {
		for n := range 1000 {
			o := cloud.Organization{ID: cloud.ID(fmt.Sprintf("0195c0de-0000-7000-9000-%012d", n)), Name: fmt.Sprint("org-", n)}
			if err := w.CreateOrganization(o); err != nil {
				return err
			}
			if err := w.AddMember(cloud.Member{OrganizationID: o.ID, User: cloud.User{ID: ada}, Role: cloud.RoleViewer}); err != nil {
				return err
			}
		}
		return nil
	})
	if got := s.organizations(west, ada).Organizations; len(got) != 1000 || got[0].Organization != string(acme) {
		t.Errorf("%d of 1001 organizations are told, from %v, want the first 1000", len(got), got[0])
	}
}

func TestGrantsOverHTTP(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	a.join(ada, cloud.RoleViewer)
	query := func(subject, organization string) string {
		return federation.BasePath + "/grants?" + url.Values{"subject": {subject}, "organization": {organization}}.Encode()
	}
	good := query(string(ada), string(acme))
	organization := string(acme)
	got, err := a.client(credentialOf(east)).GetGrantWithResponse(t.Context(), &wire.GetGrantParams{Subject: string(ada), Organization: &organization})
	if err != nil || got.JSON200 == nil || *got.JSON200.Role != wire.GrantRoleViewer {
		t.Fatalf("the grant: %v, %+v", err, got)
	}
	got, err = a.client(credentialOf(east)).GetGrantWithResponse(t.Context(), &wire.GetGrantParams{Subject: string(ada)})
	if err != nil || got.JSON200 == nil || got.JSON200.Role != nil || len(got.JSON200.Organizations) != 1 {
		t.Fatalf("the list: %v, %+v", err, got)
	}
	for name, tt := range map[string]struct {
		path, credential string
		status           int
		says             string
	}{
		"a subject that is no id":       {query("ada", string(acme)), credentialOf(west).Reveal(), http.StatusBadRequest, "subject"},
		"an organization that is no id": {query(string(ada), "acme"), credentialOf(west).Reveal(), http.StatusBadRequest, "organization"},
		"an id in upper case":           {query(strings.ToUpper(string(ada)), string(acme)), credentialOf(west).Reveal(), http.StatusBadRequest, "lower case"},
		"no subject":                    {federation.BasePath + "/grants?organization=" + string(acme), credentialOf(west).Reveal(), http.StatusBadRequest, "subject is missing"},
		"an organization that is empty": {query(string(ada), ""), credentialOf(west).Reveal(), http.StatusBadRequest, "organization"},
		"a list of no id":               {federation.BasePath + "/grants?subject=ada", credentialOf(west).Reveal(), http.StatusBadRequest, "subject"},
		"a list, without a credential":  {federation.BasePath + "/grants?subject=" + string(ada), "", http.StatusUnauthorized, "credential of a region"},
		"no credential":                 {good, "", http.StatusUnauthorized, "credential of a region"},
		"a caller's token":              {good, "eyJhbGciOiJFZERTQSJ9.e30.c2ln", http.StatusUnauthorized, "credential of a region"},
	} {
		status, _, refusal := a.do(http.MethodGet, tt.path, nil, "Authorization", "Bearer "+tt.credential)
		if status != tt.status || !strings.Contains(refusal.Message, tt.says) {
			t.Errorf("%s: answered with %d %q, want %d with %q", name, status, refusal.Message, tt.status, tt.says)
		}
	}
}

// beat sends a heartbeat of a region that knows the grants of a revision.
func (r *site) hears(known uint64) *wire.GrantChanges {
	r.s.t.Helper()
	m := r.heartbeat()
	m.GrantsRevision = &known
	return r.send(m).Grants
}

func changedGrants(revision uint64, keys ...cloud.GrantKey) *wire.GrantChanges {
	c := &wire.GrantChanges{Revision: revision, Changed: []wire.GrantKey{}}
	for _, k := range keys {
		var key wire.GrantKey
		if k.Subject != "" {
			key.Subject = (*string)(&k.Subject)
		}
		if k.Organization != "" {
			key.Organization = (*string)(&k.Organization)
		}
		c.Changed = append(c.Changed, key)
	}
	return c
}

// A region hears of every change after the revision that it knows, however
// often it asks, whoever asked before, and whatever became of the plane.
func TestChangesOfGrantsRideOnSyncs(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r, other := newSite(s, west), newSite(s, east)
	r.hello()
	other.hello()
	s.join(ada, cloud.RoleEditor)
	s.join(ben, cloud.RoleEditor)
	begin := s.revision()
	check := func(what string, got, want *wire.GrantChanges) {
		t.Helper()
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	check("nothing changed", r.hears(begin), nil)
	check("a region that keeps no grants", r.send(r.heartbeat()).Grants, nil)

	s.expel(ben)
	check("one was removed", r.hears(begin), changedGrants(begin+1, cloud.GrantKey{Subject: ben, Organization: acme}))
	check("the answer was lost", r.hears(begin), changedGrants(begin+1, cloud.GrantKey{Subject: ben, Organization: acme}))
	check("it arrived", r.hears(begin+1), nil)

	s.setRole(ada, cloud.RoleViewer)
	s.register(ada, "laptop", "ssh-ed25519 AAAA")
	s.setRole(ada, cloud.RoleAdmin)
	s.restartPlane(0)
	both := []cloud.GrantKey{{Subject: ada}, {Subject: ada, Organization: acme}} // as they changed last
	check("after a restart", r.hears(begin+1), changedGrants(begin+4, both...))
	check("after a part of them", r.hears(begin+3), changedGrants(begin+4, both[1]))
	check("another region", other.hears(begin+3), changedGrants(begin+4, both[1]))
	s.write(func(w cloud.Writer) error { return w.TouchGrants(cloud.GrantKey{Organization: acme}) })
	check("all of an organization", r.hears(begin+4), changedGrants(begin+5, cloud.GrantKey{Organization: acme}))
	check("a revision of before a restore", r.hears(begin+6), &wire.GrantChanges{Revision: begin + 5, All: true, Changed: []wire.GrantKey{}})
}

func TestSomeChangesOfGrantsAreTooMany(t *testing.T) {
	t.Parallel()
	s := newStand(t)
	r := newSite(s, west)
	r.hello()
	begin := s.revision()
	id := func(n int) cloud.ID { return cloud.ID(fmt.Sprintf("0195c0de-0000-7000-9000-%012d", n)) }
	s.write(func(w cloud.Writer) error {
		for n := range 250 {
			if err := w.TouchGrants(cloud.GrantKey{Subject: id(n), Organization: acme}); err != nil {
				return err
			}
		}
		return nil
	})
	if got := r.hears(begin); got == nil || got.All || len(got.Changed) != 250 {
		t.Errorf("250 changes are told as %+v", got)
	}
	s.join(ada, cloud.RoleViewer)
	all := func(revision uint64) *wire.GrantChanges {
		return &wire.GrantChanges{Revision: revision, All: true, Changed: []wire.GrantKey{}}
	}
	if diff := gocmp.Diff(all(begin+251), r.hears(begin)); diff != "" {
		t.Errorf("251 changes (-want +got):\n%s", diff)
	}

	// One key, changed as often as the plane remembers, and once more.
	begin = s.revision()
	s.write(func(w cloud.Writer) error {
		for range cloud.MaxGrantChanges {
			if err := w.TouchGrants(cloud.GrantKey{Subject: ada, Organization: acme}); err != nil {
				return err
			}
		}
		return nil
	})
	if diff := gocmp.Diff(changedGrants(begin+cloud.MaxGrantChanges, cloud.GrantKey{Subject: ada, Organization: acme}), r.hears(begin)); diff != "" {
		t.Errorf("as many changes as are remembered (-want +got):\n%s", diff)
	}
	s.setRole(ada, cloud.RoleEditor)
	if diff := gocmp.Diff(all(begin+cloud.MaxGrantChanges+1), r.hears(begin)); diff != "" {
		t.Errorf("one change more (-want +got):\n%s", diff)
	}
}
