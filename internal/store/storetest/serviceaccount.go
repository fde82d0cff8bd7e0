package storetest

import (
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func robot(n int, organization cloud.Organization, name string) (cloud.ServiceAccount, cloud.Email) {
	return cloud.ServiceAccount{
		ID: id(n), OrganizationID: organization.ID, Name: name, Role: cloud.RoleAdmin, CreatedBy: ada.ID, CreatedAt: now,
	}, cloud.ServiceEmail(name, organization.Name)
}

// employRobots makes two accounts in acme, and one in beta.
func employRobots(t *testing.T, s cloud.Store) (ci, backup, betas cloud.ServiceAccount) {
	t.Helper()
	setTheStage(t, s)
	ci, ciEmail := robot(211, acme, "ci")
	backup, backupEmail := robot(212, acme, "backup")
	betas, betasEmail := robot(213, beta, "ci")
	write(t, s, func(w cloud.Writer) error {
		return first(
			w.AddMember(cloud.Member{OrganizationID: acme.ID, User: ada, Role: cloud.RoleAdmin, JoinedAt: now}),
			w.CreateServiceAccount(backup, backupEmail), w.CreateServiceAccount(ci, ciEmail), w.CreateServiceAccount(betas, betasEmail),
		)
	})
	return ci, backup, betas
}

func testServiceAccounts(t *testing.T, open func() cloud.Store) {
	s := open()
	ci, backup, betas := employRobots(t, s)
	get := func(organization, id cloud.ID) func(cloud.Reader) (cloud.ServiceAccount, error) {
		return func(r cloud.Reader) (cloud.ServiceAccount, error) { return r.ServiceAccount(organization, id) }
	}
	equal(t, "the account", read(t, s, get(acme.ID, ci.ID)), ci)
	equal(t, "the account by its id alone", read(t, s, get("", ci.ID)), ci)
	missing(t, s, "an account of another organization", get(acme.ID, betas.ID))
	missing(t, s, "a person", get(acme.ID, ada.ID))
	pagedIn(t, s, "the accounts", []cloud.ServiceAccount{ci, backup}, func(a cloud.ServiceAccount) string { return string(a.ID) },
		func(r cloud.Reader, p cloud.Page) ([]cloud.ServiceAccount, error) {
			return r.ServiceAccounts(acme.ID, p)
		})
	equal(t, "how many there are", read(t, s, func(r cloud.Reader) (int64, error) { return r.CountServiceAccounts(acme.ID) }), int64(2))

	// It is a member like any other, but for the list and the count.
	m := read(t, s, func(r cloud.Reader) (cloud.Member, error) { return r.Member(acme.ID, ci.ID) })
	equal(t, "the member that it is", m, cloud.Member{
		OrganizationID: acme.ID, Role: ci.Role, JoinedAt: now,
		User: cloud.User{ID: ci.ID, Email: "ci@acme.service.invalid", Name: "ci", Kind: cloud.Service, CreatedAt: now},
	})
	members := read(t, s, func(r cloud.Reader) ([]cloud.Member, error) { return r.Members(acme.ID, cloud.Page{}) })
	equal(t, "the members", members, []cloud.Member{{OrganizationID: acme.ID, User: ada, Role: cloud.RoleAdmin, JoinedAt: now}})
	equal(t, "the number of admins", read(t, s, func(r cloud.Reader) (int64, error) { return r.CountAdmins(acme.ID) }), int64(1))
	standing, err := s.Standing(t.Context(), ci.ID)
	if err != nil {
		t.Fatalf("Standing: %v", err)
	}
	equal(t, "its standing", standing, cloud.Standing{User: m.User, Relations: []cloud.Relation{{OrganizationID: acme.ID, Role: ci.Role}}})

	// Whatever is taken of it, nothing of it remains.
	for what, c := range map[string]func() (cloud.ServiceAccount, cloud.Email){
		"the name and the address": func() (cloud.ServiceAccount, cloud.Email) { return robot(214, acme, "ci") },
		"the name": func() (cloud.ServiceAccount, cloud.Email) {
			a, _ := robot(214, acme, "ci")
			return a, "other@acme.service.invalid"
		},
		"the address": func() (cloud.ServiceAccount, cloud.Email) {
			a, _ := robot(214, acme, "other")
			return a, ciAddress
		},
	} {
		t.Run(what, func(t *testing.T) {
			a, email := c()
			write(t, s, func(w cloud.Writer) error {
				wantCode(t, w.CreateServiceAccount(a, email), cloud.CodeConflict, a.Name)
				return nil
			})
			missing(t, s, "the user of a refused account", func(r cloud.Reader) (cloud.User, error) { return r.User(a.ID) })
		})
	}
	refused(t, s, cloud.CodeNotFound, "", func(w cloud.Writer) error {
		return w.CreateServiceAccount(robot(214, cloud.Organization{ID: id(1), Name: "nobody"}, "ci"))
	})

	write(t, s, func(w cloud.Writer) error { return w.SetRole(acme.ID, ci.ID, cloud.RoleViewer) })
	ci.Role = cloud.RoleViewer
	equal(t, "the account of another role", read(t, s, get(acme.ID, ci.ID)), ci)
}

const ciAddress cloud.Email = "ci@acme.service.invalid"

func testServiceAccountsEnd(t *testing.T, open func() cloud.Store) {
	s := open()
	ci, backup, _ := employRobots(t, s)
	write(t, s, func(w cloud.Writer) error {
		return first(
			w.CreateServiceSecret(cloud.ServiceSecret{ID: id(221), ServiceAccountID: ci.ID, Hash: "one", CreatedAt: now}),
			w.CreateSSHKey(cloud.SSHKey{UserID: ci.ID, Name: "key", Fingerprint: "SHA256:one", CreatedAt: now}),
			w.CreateIdentity(cloud.Identity{Issuer: "https://ci.example.com", Subject: "build", UserID: ci.ID, CreatedAt: now, LastUsedAt: now}),
		)
	})
	revision := read(t, s, cloud.Reader.Plane).GrantRevision
	refused(t, s, cloud.CodeNotFound, "service account", func(w cloud.Writer) error { return w.DeleteServiceAccount(beta.ID, ci.ID) })
	refused(t, s, cloud.CodeNotFound, "service account", func(w cloud.Writer) error { return w.DeleteServiceAccount(acme.ID, ada.ID) })
	write(t, s, func(w cloud.Writer) error { return w.DeleteServiceAccount(acme.ID, ci.ID) })
	missing(t, s, "a deleted account", func(r cloud.Reader) (cloud.ServiceAccount, error) { return r.ServiceAccount("", ci.ID) })
	missing(t, s, "its user", func(r cloud.Reader) (cloud.User, error) { return r.User(ci.ID) })
	missing(t, s, "its membership", func(r cloud.Reader) (cloud.Member, error) { return r.Member(acme.ID, ci.ID) })
	_, err := s.Standing(t.Context(), ci.ID)
	wantCode(t, err, cloud.CodeNotFound, "user")
	equal(t, "its secrets", secretsOf(t, s, ci.ID), []cloud.ServiceSecret{})
	keys := read(t, s, func(r cloud.Reader) ([]cloud.SSHKey, error) { return r.SSHKeys(ci.ID, cloud.Page{}) })
	equal(t, "its keys", keys, []cloud.SSHKey{})
	missing(t, s, "its identity", func(r cloud.Reader) (cloud.Identity, error) { return r.Identity("https://ci.example.com", "build") })
	equal(t, "the grants that changed", read(t, s, func(r cloud.Reader) ([]cloud.GrantKey, error) { return r.GrantChanges(revision, 10) }),
		[]cloud.GrantKey{{Subject: ci.ID, Organization: acme.ID}})
	refused(t, s, cloud.CodeNotFound, "service account", func(w cloud.Writer) error { return w.DeleteServiceAccount(acme.ID, ci.ID) })
	write(t, s, func(w cloud.Writer) error { return w.CreateServiceAccount(robot(215, acme, "ci")) })

	// One that was removed from the members is still there, and good for nothing.
	write(t, s, func(w cloud.Writer) error { return w.RemoveMember(acme.ID, backup.ID) })
	backup.Role = ""
	got := read(t, s, func(r cloud.Reader) (cloud.ServiceAccount, error) { return r.ServiceAccount(acme.ID, backup.ID) })
	equal(t, "the account that is no member", got, backup)
	write(t, s, func(w cloud.Writer) error { return w.DeleteServiceAccount(acme.ID, backup.ID) })
}

func secretsOf(t *testing.T, s cloud.Store, account cloud.ID) []cloud.ServiceSecret {
	t.Helper()
	return read(t, s, func(r cloud.Reader) ([]cloud.ServiceSecret, error) { return r.ServiceSecrets(account) })
}

func testServiceSecrets(t *testing.T, open func() cloud.Store) {
	s := open()
	ci, backup, _ := employRobots(t, s)
	secret := func(n int, age time.Duration) cloud.ServiceSecret {
		return cloud.ServiceSecret{ID: id(n), ServiceAccountID: ci.ID, Hash: cloud.SecretHash(id(n)), CreatedAt: now.Add(-age)}
	}
	young, old := secret(221, 0), secret(222, time.Hour)
	write(t, s, func(w cloud.Writer) error { return first(w.CreateServiceSecret(young), w.CreateServiceSecret(old)) })
	equal(t, "the secrets", secretsOf(t, s, ci.ID), []cloud.ServiceSecret{old, young})
	write(t, s, func(w cloud.Writer) error {
		wantCode(t, w.CreateServiceSecret(secret(223, 0)), cloud.CodeConflict, "2 secrets")
		return nil
	})
	refused(t, s, cloud.CodeNotFound, "", func(w cloud.Writer) error {
		return w.CreateServiceSecret(cloud.ServiceSecret{ID: id(223), ServiceAccountID: ada.ID, Hash: "x", CreatedAt: now})
	})
	refused(t, s, cloud.CodeConflict, "", func(w cloud.Writer) error {
		return w.CreateServiceSecret(cloud.ServiceSecret{ID: id(223), ServiceAccountID: backup.ID, Hash: young.Hash, CreatedAt: now})
	})

	for _, step := range []struct {
		what         string
		at, lastUsed time.Duration
	}{
		{"the first use", time.Hour, time.Hour},
		{"one soon after", time.Hour + cloud.SecretUseGrain - time.Microsecond, time.Hour},
		{"one later", time.Hour + cloud.SecretUseGrain, time.Hour + cloud.SecretUseGrain},
		{"one after the clock was set back", time.Minute, time.Minute},
	} {
		write(t, s, func(w cloud.Writer) error { return w.UseServiceSecret(old.ID, now.Add(step.at)) })
		old.LastUsedAt = now.Add(step.lastUsed)
		equal(t, "the secrets after "+step.what, secretsOf(t, s, ci.ID), []cloud.ServiceSecret{old, young})
	}
	refused(t, s, cloud.CodeNotFound, "secret", func(w cloud.Writer) error { return w.UseServiceSecret(id(1), now) })

	refused(t, s, cloud.CodeNotFound, "secret", func(w cloud.Writer) error { return w.DeleteServiceSecret(backup.ID, old.ID) })
	write(t, s, func(w cloud.Writer) error { return w.DeleteServiceSecret(ci.ID, old.ID) })
	refused(t, s, cloud.CodeNotFound, "secret", func(w cloud.Writer) error { return w.DeleteServiceSecret(ci.ID, old.ID) })
	next := secret(224, -time.Hour)
	write(t, s, func(w cloud.Writer) error { return w.CreateServiceSecret(next) })
	equal(t, "the secrets after one was replaced", secretsOf(t, s, ci.ID), []cloud.ServiceSecret{young, next})
}

// Of several secrets made at once two come to be, and of several accounts of one
// name one.
func testServiceAccountsInParallel(t *testing.T, open func() cloud.Store) {
	s := open()
	ci, _, _ := employRobots(t, s)
	errs := race(t, open, func(w cloud.Writer, n int) error {
		return w.CreateServiceSecret(cloud.ServiceSecret{ID: id(231 + n), ServiceAccountID: ci.ID, Hash: cloud.SecretHash(id(n)), CreatedAt: now})
	})
	win(t, "secrets of one account", errs, cloud.MaxServiceSecrets, cloud.CodeConflict)
	equal(t, "the number of secrets", len(secretsOf(t, s, ci.ID)), cloud.MaxServiceSecrets)

	errs = race(t, open, func(w cloud.Writer, n int) error { return w.CreateServiceAccount(robot(241+n, acme, "twin")) })
	win(t, "accounts of one name", errs, 1, cloud.CodeConflict)
}
