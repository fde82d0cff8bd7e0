package managementapi_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// nth are ids that nothing else has.
func nth(n int) cloud.ID { return cloud.ID(fmt.Sprintf("019cae00-0000-7000-b000-%012x", n)) }

// TestThereIsRoomForSoMany fills up what is bounded but for one, which many try to
// get at once, in all processes: one gets it, and the others read how many there
// may be.
func TestThereIsRoomForSoMany(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		most int
		add  func(tx cloud.Writer, n int) error
		one  func(w *world, i int) reply
		says string
	}{
		"SSH keys": {
			int(cloud.DefaultBounds.SSHKeys) - 1, // the cast has one
			func(tx cloud.Writer, n int) error {
				return tx.CreateSSHKey(cloud.SSHKey{UserID: userIDs[guest], Name: fmt.Sprint("more-", n), Fingerprint: fmt.Sprint(n), CreatedAt: start})
			},
			func(w *world, i int) reply {
				return w.call(guest, "POST", "/user/keys", newKey(fmt.Sprint("the-", i), publicKey(fmt.Sprint("the-", i))))
			},
			"there are 100 keys",
		},
		"organizations": {
			int(cloud.DefaultBounds.Organizations),
			func(tx cloud.Writer, n int) error {
				return tx.CreateOrganization(cloud.Organization{ID: nth(n), Name: fmt.Sprint("more-", n), FoundedBy: userIDs[guest], CreatedAt: start})
			},
			func(w *world, i int) reply {
				return w.call(guest, "POST", "/organizations", called(fmt.Sprint("The ", i)))
			},
			"you made 20 organizations",
		},
		"service accounts": {
			int(cloud.DefaultBounds.ServiceAccounts) - 1, // the same
			func(tx cloud.Writer, n int) error {
				account := cloud.ServiceAccount{ID: nth(n), OrganizationID: acme, Name: fmt.Sprint("more-", n), Role: cloud.RoleViewer, CreatedBy: userIDs[admin], CreatedAt: start}
				return tx.CreateServiceAccount(account, cloud.ServiceEmail(account.Name, "acme"))
			},
			func(w *world, i int) reply {
				return w.call(admin, "POST", "/service-accounts", fmt.Sprintf(`{"name":"the-%d","role":"viewer"}`, i))
			},
			"200 service accounts",
		},
		"invitations": {
			int(cloud.DefaultBounds.Invitations) - 1, // the same
			func(tx cloud.Writer, n int) error {
				return tx.CreateInvitation(cloud.Invitation{
					ID: nth(n), OrganizationID: acme, Email: cloud.Email(fmt.Sprintf("more-%d@example.com", n)), Role: cloud.RoleViewer,
					InvitedBy: userIDs[admin], CreatedAt: start, ExpiresAt: start.Add(cloud.InvitationTTL),
				})
			},
			func(w *world, i int) reply {
				return w.call(admin, "POST", "/invitations", invite(fmt.Sprintf("the-%d@example.com", i), ""))
			},
			"500 invitations",
		},
		"revocations": {
			cloud.MaxRevokedTokens,
			func(tx cloud.Writer, n int) error {
				return tx.RevokeToken(cloud.Revoked(userIDs[guest], fmt.Sprint("jti-", n), start.Add(time.Hour)))
			},
			func(w *world, i int) reply {
				r := w.call(guest, "POST", "/user/tokens", `{"name":"x","expires_in_days":1}`)
				if r.status == http.StatusCreated {
					var made personalToken
					r.into(&made)
					w.call(guest, "DELETE", "/user/tokens/"+made.ID, "").want(http.StatusNoContent)
				}
				return r
			},
			"500 tokens of yours were taken back",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everywhere(t, func(t *testing.T, w *world) {
				w.write(func(tx cloud.Writer) error {
					for n := range c.most - 1 {
						if err := c.add(tx, n); err != nil {
							return err
						}
					}
					return nil
				})
				if name == "revocations" { // made one after another: what counts is what was taken back
					c.one(w, 0).want(http.StatusCreated)
				} else {
					made := http.StatusCreated
					if name == "SSH keys" { // as the contract has it
						made = http.StatusOK
					}
					counts := w.inParallel(6, func(i int) reply { return c.one(w, i) })
					if diff := cmp.Diff(map[int]int{made: 1, http.StatusConflict: 5}, counts); diff != "" {
						t.Errorf("(-want +got):\n%s", diff)
					}
				}
				c.one(w, 99).want(http.StatusConflict).says(c.says)
			})
		})
	}
}

// TestRoomComesBack takes away one of as many as there may be.
func TestRoomComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(func(tx cloud.Writer) error {
		for n := range cloud.MaxRevokedTokens {
			if err := tx.RevokeToken(cloud.Revoked(userIDs[guest], fmt.Sprint("jti-", n), start.Add(time.Hour+time.Duration(min(n, 1))*time.Hour))); err != nil {
				return err
			}
		}
		return nil
	})
	one := func() reply { return w.call(guest, "POST", "/user/tokens", `{"name":"x","expires_in_days":1}`) }
	one().want(http.StatusConflict)
	w.clock.Pass(time.Hour + cloud.TokenLeeway)
	w.write(func(tx cloud.Writer) error { return tx.DeleteExpired(w.clock.Now()) })
	one().want(http.StatusCreated)
}
