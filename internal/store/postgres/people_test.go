package postgres_test

import (
	"errors"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// codeOf is what a story wants to know of one who came second.
func codeOf(err error) (any, error) { return cloud.CodeOf(err), nil }

func invited() cloud.Invitation {
	return cloud.Invitation{ID: "invitation", OrganizationID: acme, Email: "dora@example.com", CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
}

func mailTo(id cloud.ID) cloud.Mail {
	return cloud.Mail{ID: id, DueAt: now, ExpiresAt: now.Add(time.Hour), State: cloud.MailPending}
}

func refreshToken(hash cloud.SecretHash) cloud.RefreshToken {
	return cloud.RefreshToken{Hash: hash, Family: "family", UserID: ada, ExpiresAt: now.Add(time.Hour)}
}

func robot(id cloud.ID) (cloud.ServiceAccount, cloud.Email) {
	return cloud.ServiceAccount{ID: id, OrganizationID: acme, Name: "ci", Role: cloud.RoleViewer}, cloud.ServiceEmail("ci", "acme")
}

func secret(id cloud.ID) cloud.ServiceSecret {
	return cloud.ServiceSecret{ID: id, ServiceAccountID: "robot", Hash: cloud.SecretHash(id)}
}

func lease(w cloud.Writer) (any, error) {
	m, err := w.LeaseMail(now, now.Add(time.Minute))
	return m.ID, err
}

// TestOneGetsIn has two processes take what only one may have. The second waits
// until the first has committed, and finds what that left.
func TestOneGetsIn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before func(cloud.Writer) error
		first  func(cloud.Writer) error
		second func(cloud.Writer) (any, error)
		want   any
	}{
		"an invitation": {
			func(w cloud.Writer) error { return w.CreateInvitation(invited()) },
			func(w cloud.Writer) error { _, err := w.TakeInvitation("invitation", 0, now); return err },
			func(w cloud.Writer) (any, error) {
				_, err := w.TakeInvitation("invitation", 0, now)
				return codeOf(err)
			}, cloud.CodeNotFound,
		},
		"an invitation that was sent anew": {
			func(w cloud.Writer) error { return w.CreateInvitation(invited()) },
			func(w cloud.Writer) error {
				_, err := w.RenewInvitation(acme, "invitation", now, now.Add(time.Hour))
				return err
			},
			func(w cloud.Writer) (any, error) {
				_, err := w.TakeInvitation("invitation", 0, now)
				return codeOf(err)
			}, cloud.CodeNotFound,
		},
		"a sign-in": {
			func(w cloud.Writer) error {
				return w.CreateSignIn(cloud.SignIn{Hash: "browser", ExpiresAt: now.Add(time.Hour)})
			},
			func(w cloud.Writer) error { _, err := w.TakeSignIn("browser", now); return err },
			func(w cloud.Writer) (any, error) {
				_, err := w.TakeSignIn("browser", now)
				return codeOf(err)
			}, cloud.CodeNotFound,
		},
		"a wrong code": {
			func(w cloud.Writer) error {
				return w.CreateSignIn(cloud.SignIn{Hash: "browser", ExpiresAt: now.Add(time.Hour)})
			},
			func(w cloud.Writer) error { _, err := w.CountSignInAttempt("browser"); return err },
			func(w cloud.Writer) (any, error) { return w.CountSignInAttempt("browser") },
			int64(2),
		},
		"an identity": {
			func(cloud.Writer) error { return nil },
			func(w cloud.Writer) error {
				return w.CreateIdentity(cloud.Identity{Issuer: "i", Subject: "s", UserID: ada})
			},
			func(w cloud.Writer) (any, error) {
				return codeOf(w.CreateIdentity(cloud.Identity{Issuer: "i", Subject: "s", UserID: ben}))
			}, cloud.CodeConflict,
		},
		"the tokens of a code": {
			func(w cloud.Writer) error {
				return w.CreateAuthorization(cloud.Authorization{ID: "request", ExpiresAt: now.Add(time.Hour)})
			},
			func(w cloud.Writer) error { return w.ExchangeAuthorization("request", "family") },
			func(w cloud.Writer) (any, error) { return codeOf(w.ExchangeAuthorization("request", "another")) },
			cloud.CodeConflict,
		},
		"the tokens of a device": {
			func(w cloud.Writer) error {
				return w.CreateDeviceCode(cloud.DeviceCode{Hash: "device", State: cloud.DeviceApproved, ExpiresAt: now.Add(time.Hour)})
			},
			func(w cloud.Writer) error {
				return w.SetDeviceCode("device", cloud.DeviceApproved, cloud.DeviceExchanged, ada, now)
			},
			func(w cloud.Writer) (any, error) {
				return codeOf(w.SetDeviceCode("device", cloud.DeviceApproved, cloud.DeviceExchanged, ada, now))
			}, cloud.CodeConflict,
		},
		"the next refresh token": {
			func(w cloud.Writer) error { return w.CreateRefreshToken(refreshToken("one")) },
			func(w cloud.Writer) error { return w.UseRefreshToken("one", now) },
			func(w cloud.Writer) (any, error) { return codeOf(w.UseRefreshToken("one", now)) },
			cloud.CodeConflict,
		},
		// Fails unless the deletion is repeated.
		"no token of a family that ends": {
			func(w cloud.Writer) error { return w.CreateRefreshToken(refreshToken("one")) },
			func(w cloud.Writer) error {
				return errors.Join(w.UseRefreshToken("one", now), w.CreateRefreshToken(refreshToken("two")))
			},
			func(w cloud.Writer) (any, error) {
				deleted, err := w.DeleteRefreshTokens("family")
				return len(deleted), err
			}, 2,
		},
		"the second secret": {
			func(w cloud.Writer) error {
				return errors.Join(w.CreateServiceAccount(robot("robot")), w.CreateServiceSecret(secret("one")))
			},
			func(w cloud.Writer) error { return w.CreateServiceSecret(secret("two")) },
			func(w cloud.Writer) (any, error) { return codeOf(w.CreateServiceSecret(secret("three"))) },
			cloud.CodeConflict,
		},
		"the name of a service account": {
			func(cloud.Writer) error { return nil },
			func(w cloud.Writer) error { return w.CreateServiceAccount(robot("robot")) },
			func(w cloud.Writer) (any, error) { return codeOf(w.CreateServiceAccount(robot("twin"))) },
			cloud.CodeConflict,
		},
		// Fails unless it looks for another one.
		"a mail, and then the next": {
			func(w cloud.Writer) error { return errors.Join(w.EnqueueMail(mailTo("1")), w.EnqueueMail(mailTo("2"))) },
			func(w cloud.Writer) error { _, err := lease(w); return err },
			lease, cloud.ID("2"),
		},
		"an address": {
			func(cloud.Writer) error { return nil },
			func(w cloud.Writer) error { return w.UpdateUser(ada, "", "new@example.com") },
			func(w cloud.Writer) (any, error) { return nil, w.UpdateUser(ben, "", "NEW@example.com") },
			cloud.CodeConflict,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database, a, b := inhabited(t)
			write(t, a, c.before)
			commit := held(t, a, c.first)
			var got any
			ended := waiting(t, connect(t, database), func() error {
				return b.Write(t.Context(), func(w cloud.Writer) (err error) {
					got, err = c.second(w)
					return err
				})
			})
			commit()
			if err := <-ended; cloud.CodeOf(err) != "" {
				got = cloud.CodeOf(err) // of the transaction as a whole
			} else if err != nil {
				t.Fatal(err)
			}
			if got != c.want {
				t.Errorf("the second got %v; want %v", got, c.want)
			}
		})
	}
}

// TestTakersHoldTheOrganizationFirst takes an invitation while another
// transaction holds its organization, as who takes it back does: whoever waits
// does not hold the invitation already.
func TestTakersHoldTheOrganizationFirst(t *testing.T) {
	t.Parallel()
	database, a, _ := inhabited(t)
	write(t, a, func(w cloud.Writer) error { return w.CreateInvitation(invited()) })
	tx, err := connect(t, database).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "SELECT 1 FROM organizations WHERE id = $1 FOR UPDATE", acme); err != nil {
		t.Fatal(err)
	}
	third := connect(t, database)
	ended := waiting(t, third, func() error {
		return a.Write(t.Context(), func(w cloud.Writer) error { _, err := w.TakeInvitation("invitation", 0, now); return err })
	})
	execute(t, third, "SELECT 1 FROM invitations FOR UPDATE NOWAIT")
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
