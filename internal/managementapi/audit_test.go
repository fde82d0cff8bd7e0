package managementapi_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/observe"
	"github.com/penstock-cloud/penstock/internal/store/storetest"
)

// audited is the audit of everything that tenants did.
func (w *world) audited() []cloud.AuditEntry {
	w.t.Helper()
	var all []cloud.AuditEntry
	w.read(func(r cloud.Reader) error {
		all = nil
		organizations := []cloud.ID{"", acme, globex}
		made, err := r.OrganizationsOf(userIDs[admin], cloud.Page{})
		if err != nil {
			return err
		}
		for _, o := range made {
			if !slices.Contains(organizations, o.ID) {
				organizations = append(organizations, o.ID)
			}
		}
		for _, organization := range organizations {
			entries, err := r.Audit(organization, cloud.AuditFilter{}, cloud.Page{})
			if err != nil {
				return err
			}
			slices.Reverse(entries)
			all = append(all, entries...)
		}
		return nil
	})
	return all
}

// entries are what the audit says of each operation's example. The target ""
// is the id in the answer.
var entries = map[string]cloud.AuditEntry{
	"RegisterKey":   {Action: "key.register", Target: "desktop", After: `{"fingerprint":"` + fingerprint("desktop") + `"}`},
	"DeregisterKey": {Action: "key.deregister", Target: "laptop", Before: `{"fingerprint":"` + fingerprint(admin) + `"}`},
	"UpdateMember": {
		Action: "member.update", Target: string(userIDs[guest]), OrganizationID: acme,
		Before: `{"email":"guest@example.com","role":"viewer"}`, After: `{"email":"guest@example.com","role":"editor"}`,
	},
	"DeleteMember": {
		Action: "member.delete", Target: string(userIDs[guest]), OrganizationID: acme,
		Before: `{"email":"guest@example.com","role":"viewer"}`,
	},
	"CreateOrganization": {Action: "organization.create", After: `{"display_name":"Tidal Labs","name":"tidal-labs"}`},
	"UpdateOrganization": {
		Action: "organization.update", Target: acme, OrganizationID: acme,
		Before: `{"display_name":"Acme Research","name":"acme"}`, After: `{"display_name":"Acme Labs","name":"acme"}`,
	},
	"LeaveOrganization": {
		Action: "member.leave", Target: string(userIDs[guest]), OrganizationID: acme,
		Before: `{"email":"guest@example.com","role":"viewer"}`,
	},
	"AcceptInvitation": {
		Action: "invitation.accept", Target: ownInvitation, OrganizationID: globex,
		Before: `{"email":"Admin@Example.com","expires_at":"2026-03-09T13:30:00.123456Z","role":"editor"}`,
		After:  `{"email":"admin@example.com","role":"editor"}`,
	},
	"ResendInvitation": {
		Action: "invitation.resend", Target: pendingInvitation, OrganizationID: acme,
		Before: `{"email":"tomas@example.com","expires_at":"2026-03-07T14:30:00.123456Z","role":"editor"}`,
		After:  `{"email":"tomas@example.com","expires_at":"2026-03-09T14:30:00.123456Z","role":"editor"}`,
	},
	"CreateInvitation": {
		Action: "invitation.create", OrganizationID: acme,
		After: `{"email":"new@example.com","expires_at":"2026-03-09T14:30:00.123456Z","role":"viewer"}`,
	},
	"DeleteInvitation": {
		Action: "invitation.delete", Target: pendingInvitation, OrganizationID: acme,
		Before: `{"email":"tomas@example.com","expires_at":"2026-03-07T14:30:00.123456Z","role":"editor"}`,
	},

	"CreateServiceAccount": {Action: "service_account.create", OrganizationID: acme, After: `{"name":"builder","role":"viewer"}`},
	"UpdateServiceAccount": {
		Action: "service_account.update", Target: deployer, OrganizationID: acme,
		Before: `{"name":"deployer","role":"editor"}`, After: `{"name":"deployer","role":"viewer"}`,
	},
	"DeleteServiceAccount": {
		Action: "service_account.delete", Target: deployer, OrganizationID: acme, Before: `{"name":"deployer","role":"editor"}`,
	},
	"CreateServiceAccountSecret": {
		Action: "service_account.secret.create", OrganizationID: acme,
		After: `{"created_at":"2026-03-02T14:30:00.123456Z","service_account":"` + deployer + `"}`,
	},
	"DeleteServiceAccountSecret": {
		Action: "service_account.secret.delete", Target: deployerSecret, OrganizationID: acme,
		Before: `{"created_at":"2026-03-01T14:30:00.123456Z","service_account":"` + deployer + `"}`,
	},
	"RegisterServiceAccountKey": {
		Action: "key.register", Target: "ci", OrganizationID: acme,
		After: `{"fingerprint":"` + fingerprint("ci") + `","service_account":"` + deployer + `"}`,
	},
	"DeregisterServiceAccountKey": {
		Action: "key.deregister", Target: "laptop", OrganizationID: acme,
		Before: `{"fingerprint":"` + fingerprint("deployer") + `","service_account":"` + deployer + `"}`,
	},

	"CreatePersonalToken": {
		Action: "personal_token.create", OrganizationID: acme,
		After: `{"expires_at":"2026-05-31T14:30:00Z","max_role":"viewer","name":"nightly export"}`,
	},
	"DeletePersonalToken": {
		Action: "personal_token.delete", Target: adminToken, OrganizationID: acme,
		Before: `{"expires_at":"2026-04-01T14:30:00Z","name":"laptop scripts"}`,
	},
}

// TestEveryChangeIsAudited walks the operations that change something, on a
// store as it is and on one whose transactions run twice: each leaves one entry
// that says who changed what, how, when and from where. (That refused ones
// leave none is part of TestWalk and of TestGoldenRefusals.)
func TestEveryChangeIsAudited(t *testing.T) {
	t.Parallel()
	var changing []string
	for operation, request := range examples {
		if request.method != http.MethodGet {
			changing = append(changing, operation)
		}
	}
	slices.Sort(changing)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(entries)), changing); diff != "" {
		t.Fatalf("(-entries +operations that change something):\n%s", diff)
	}
	for name, store := range map[string]wrap{"once": func(s cloud.Store) cloud.Store { return s }, "twice": storetest.Twice} {
		for operation, want := range entries {
			t.Run(operation+"/"+name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, store)
				request := examples[operation]
				r := w.call(asks(operation), request.method, request.path, request.body, "Idempotency-Key", "k")
				if want.Target == "" {
					var made struct{ ID string }
					r.into(&made)
					want.Target = made.ID
					if operation == "CreateOrganization" {
						want.OrganizationID = cloud.ID(made.ID)
					}
				}
				got := w.audited()
				if r.status >= 300 || len(got) != 1 {
					t.Fatalf("%s: %d, with %d entries in the audit: %+v", r.what, r.status, len(got), got)
				}
				want.ID, want.At = got[0].ID, start.UTC().Truncate(time.Microsecond)
				want.Actor = cloud.Actor{Kind: cloud.ActorUser, ID: string(userIDs[asks(operation)])}
				want.Origin = cloud.Origin{RequestID: r.header.Get(observe.RequestIDHeader), Address: "192.0.2.1"}
				if diff := cmp.Diff(want, got[0]); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestWhatChangesNothingIsNotAudited is about requests that succeed and have
// nothing to do.
func TestWhatChangesNothingIsNotAudited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.dump()
	w.call(admin, "PATCH", memberPath(guest), `{"role":"viewer"}`).want(http.StatusOK)
	if diff := cmp.Diff(before, w.dump()); diff != "" {
		t.Errorf("the database changed:\n%s", diff)
	}
}
