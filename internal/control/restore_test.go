package control_test

import (
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
)

// TestRestoreEndsWhatWasMailed restores a database that no longer knows which
// codes were used and which invitations taken back: none of what was mailed
// before is good, and what is mailed from then on is.
func TestRestoreEndsWhatWasMailed(t *testing.T) {
	t.Parallel()
	d := sqliteDoor(t)
	operator := d.control.As(cloud.Actor{Kind: cloud.ActorOperator, ID: "root"})
	if _, err := operator.EnsureOrganization(t.Context(), "acme", ""); err != nil {
		t.Fatal(err)
	}
	admin, err := operator.EnsureFirstAdmin(t.Context(), "root@example.com")
	if err != nil {
		t.Fatal(err)
	}
	caller, err := d.control.Admit(t.Context(), cloud.Principal{UserID: admin.ID}, cloud.ActionManageInvitations, "")
	if err != nil {
		t.Fatal(err)
	}
	invitation, err := d.control.CreateInvitation(t.Context(), caller, "", control.NewInvitation{Email: "ada@example.com"})
	if err != nil {
		t.Fatal(err)
	}
	started, err := d.BeginCode(t.Context(), control.Beginning{}, "ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	opens := func(link cloud.Secret) error {
		_, err := d.control.InvitationByToken(t.Context(), link)
		return err
	}
	enter := func(code string) error {
		_, err := d.FinishCode(t.Context(), control.Finish{Browser: started.Browser}, code)
		return err
	}
	link, code := cloud.InvitationToken(d.mailKey(), invitation.ID, invitation.Generation), d.code(started)
	if err := opens(link); err != nil {
		t.Fatal(err)
	}
	before := d.plane()
	if err := operator.NoteRestore(t.Context(), "monday.db"); err != nil {
		t.Fatal(err)
	}
	if err := opens(link); cloud.CodeOf(err) != cloud.CodeNotFound {
		t.Errorf("the link of before: %v", err)
	}
	if err := enter(code); !control.IsWrongCode(err) {
		t.Errorf("the code of before: %v", err)
	}
	if d.plane().NonceKey == before.NonceKey {
		t.Error("nonces of before still count")
	}
	if err := opens(cloud.InvitationToken(d.mailKey(), invitation.ID, invitation.Generation)); err != nil {
		t.Errorf("a link of now: %v", err)
	}
	if err := enter(d.code(started)); err != nil {
		t.Errorf("a code of now: %v", err)
	}
}
