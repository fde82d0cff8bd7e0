package control_test

import (
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
)

// TestServiceAccountsStayWhatTheyAre proves that nobody makes a service account
// what would outlive it: a member elsewhere, or somebody who signs in.
func TestServiceAccountsStayWhatTheyAre(t *testing.T) {
	t.Parallel()
	d := sqliteDoor(t)
	operator := d.control.As(cloud.Actor{Kind: cloud.ActorOperator, ID: "root"})
	acme, err := operator.CreateOrganization(t.Context(), "acme", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := operator.CreateOrganization(t.Context(), "globex", ""); err != nil {
		t.Fatal(err)
	}
	email := cloud.ServiceEmail("ci", "acme")
	account := cloud.ServiceAccount{ID: "019cae00-0000-7000-8000-00000000c1c1", OrganizationID: acme.ID, Name: "ci", Role: cloud.RoleEditor, CreatedAt: d.now}
	if err := d.store.Write(t.Context(), func(w cloud.Writer) error { return w.CreateServiceAccount(account, email) }); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		email              cloud.Email
		role, organization string
		want               cloud.Code
	}{
		{email, "editor", "acme", ""},
		{email, "admin", "acme", cloud.CodeConflict},
		{email, "editor", "globex", cloud.CodeConflict},
		{cloud.ServiceEmail("ci", "globex"), "editor", "globex", cloud.CodeNotFound},
	} {
		if m, err := operator.EnsureMember(t.Context(), string(c.email), c.role, c.organization); cloud.CodeOf(err) != c.want {
			t.Errorf("%s as %s of %s: %+v, %v; want the code %q", c.email, c.role, c.organization, m, err, c.want)
		}
	}
	// An issuer's tokens may open it; with the same issuer as a provider nobody
	// becomes it.
	if _, err := operator.LinkIdentity(t.Context(), string(email), openIssuer, "build"); err != nil {
		t.Fatal(err)
	}
	said := cloud.Assertion{Issuer: openIssuer, Subject: "build", Email: "build@example.com", EmailVerified: true}
	if entered, err := d.byProvider("open", said, control.Beginning{}, cloud.Secret{}); cloud.CodeOf(err) != cloud.CodeForbidden {
		t.Errorf("somebody signs in as %+v, %v", entered.User, err)
	}
}
