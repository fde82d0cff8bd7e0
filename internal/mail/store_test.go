package mail_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/postgres"
	"github.com/penstock-cloud/penstock/internal/store/postgres/pgtest"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
	"github.com/penstock-cloud/penstock/internal/store/sqlite/sqlitetest"
)

func TestPostmenShareSQLite(t *testing.T) {
	t.Parallel()
	store, err := sqlite.OpenPlane(t.Context(), sqlitetest.Plane(t, filepath.Join(t.TempDir(), "plane.db")))
	if err != nil {
		t.Fatal(err)
	}
	share(t, store, store)
}

func TestPostmenSharePostgreSQL(t *testing.T) {
	t.Parallel()
	url := pgtest.Database(t)
	open := func() cloud.Store {
		store, err := postgres.OpenPlane(t.Context(), url, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	share(t, open(), open())
}

// share has two postmen on each of two processes' stores send what is in one
// outbox: each mail once.
func share(t *testing.T, stores ...cloud.Store) {
	t.Helper()
	const mails = 40
	err := stores[0].Write(t.Context(), func(tx cloud.Writer) error {
		err := errors.Join(tx.CreateOrganization(organization), tx.CreateUser(cloud.User{
			ID: charles.ID, Email: charles.Email, Name: charles.Name, Kind: cloud.Person, CreatedAt: epoch,
		}), tx.CreateInvitation(invitation))
		for i := range mails {
			m := invitationMail
			m.ID = cloud.ID(fmt.Sprintf("0198c0de-0000-7000-8000-%012d", i))
			err = errors.Join(err, tx.EnqueueMail(m))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	bag := &mailbag{}
	var running sync.WaitGroup
	for _, store := range append(stores, stores...) {
		p, _ := postman(t, newOutbox(), bag, &clock{epoch})
		p.Outbox = store
		running.Go(func() {
			if err := p.Deliver(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	seen := map[cloud.ID]bool{}
	for _, m := range bag.sent {
		seen[m.ID] = true
	}
	if len(bag.sent) != mails || len(seen) != mails {
		t.Errorf("%d mails were sent, %d different ones; want each of %d once", len(bag.sent), len(seen), mails)
	}
	err = stores[0].Read(t.Context(), func(tx cloud.Reader) error {
		i, err := tx.InvitationByID(invitation.ID, epoch)
		if i.Mail != cloud.MailSent || i.MailError != "" {
			t.Errorf("its mail is %q %q", i.Mail, i.MailError)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	for _, store := range stores {
		_ = store.Close()
	}
}
