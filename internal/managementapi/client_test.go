package managementapi_test

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/penstock-cloud/penstock/client/management"
)

// generatedClient is the public Go client, as somebody.
func (w *world) generatedClient(who string) *management.ClientWithResponses {
	w.t.Helper()
	client, err := management.NewClientWithResponses(w.url()+base, management.WithHTTPClient(w.client),
		management.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+w.tokens[who])
			return nil
		}))
	if err != nil {
		w.t.Fatal(err)
	}
	return client
}

// result is what the client made of an answer.
type result struct {
	status func() int
	good   bool // whether the client read from it what it should
}

// clientCall is a call of an operation.
type clientCall struct {
	operation string
	call      func() (result, error)
}

// TestGeneratedClient calls every operation with the client that programs use.
func TestGeneratedClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client, ctx := w.generatedClient(admin), t.Context()
	viewerRole, name, email := management.RoleViewer, "desktop", "new@example.com"
	calls := []clientCall{
		{"ListRegions", func() (result, error) {
			r, err := client.ListRegionsWithResponse(ctx, nil)
			return result{r.StatusCode, (*r.JSON200)[0].Name == "east-1"}, err
		}},
		{"ListOrganizations", func() (result, error) {
			r, err := client.ListOrganizationsWithResponse(ctx, nil)
			return result{r.StatusCode, (*r.JSON200)[0].ID == acme}, err
		}},
		{"GetUser", func() (result, error) {
			r, err := client.GetUserWithResponse(ctx, nil)
			return result{r.StatusCode, r.JSON200.ID == string(userIDs[admin])}, err
		}},
		{"ListKeys", func() (result, error) {
			r, err := client.ListKeysWithResponse(ctx, nil)
			return result{r.StatusCode, (*r.JSON200)[0].Name == "laptop"}, err
		}},
		{"RegisterKey", func() (result, error) {
			r, err := client.RegisterKeyWithResponse(ctx, nil, management.SSHKey{Name: name, Key: publicKey(name)})
			return result{r.StatusCode, r.JSON200.Name == name}, err
		}},
		{"DeregisterKey", func() (result, error) {
			r, err := client.DeregisterKeyWithResponse(ctx, name)
			return result{r.StatusCode, true}, err
		}},
		{"ListClusters", func() (result, error) {
			r, err := client.ListClustersWithResponse(ctx, nil)
			return result{r.StatusCode, (*r.JSON200)[0].Name == "training"}, err
		}},
		{"ListInstances", func() (result, error) {
			r, err := client.ListInstancesWithResponse(ctx, &management.ListInstancesParams{ProjectID: new(uuid.MustParse(serving))})
			return result{r.StatusCode, (*r.JSON200)[0].Name == "server-12"}, err
		}},
		{"GetInstance", func() (result, error) {
			r, err := client.GetInstanceWithResponse(ctx, uuid.MustParse(trainer), nil)
			return result{r.StatusCode, *r.JSON200.Health == management.InstanceHealthHealthy}, err
		}},
		{"ListMembers", func() (result, error) {
			r, err := client.ListMembersWithResponse(ctx, nil)
			return result{r.StatusCode, (*r.JSON200)[0].ID == string(userIDs[viewer])}, err
		}},
		{"UpdateMember", func() (result, error) {
			r, err := client.UpdateMemberWithResponse(ctx, string(userIDs[editor]), nil, management.UpdateMemberRequest{Role: &viewerRole})
			return result{r.StatusCode, r.JSON200.Role == "viewer"}, err
		}},
		{"DeleteMember", func() (result, error) {
			r, err := client.DeleteMemberWithResponse(ctx, string(userIDs[guest]), nil)
			return result{r.StatusCode, true}, err
		}},
		{"ListInvitations", func() (result, error) {
			r, err := client.ListInvitationsWithResponse(ctx, nil)
			return result{r.StatusCode, len(*r.JSON200) > 0}, err
		}},
		{"CreateInvitation", func() (result, error) {
			r, err := client.CreateInvitationWithResponse(ctx, nil, management.CreateInvitationRequest{Email: email})
			return result{r.StatusCode, r.JSON201.Email == email}, err
		}},
		{"ResendInvitation", func() (result, error) {
			r, err := client.ResendInvitationWithResponse(ctx, pendingInvitation, nil)
			return result{r.StatusCode, r.JSON200.ID == pendingInvitation}, err
		}},
		{"DeleteInvitation", func() (result, error) {
			r, err := client.DeleteInvitationWithResponse(ctx, pendingInvitation, nil)
			return result{r.StatusCode, true}, err
		}},
		{"ListAudit", func() (result, error) {
			r, err := client.ListAuditWithResponse(ctx, &management.ListAuditParams{Action: new("member.update")})
			return result{r.StatusCode, (*r.JSON200)[0].Target == string(userIDs[editor]) && *(*r.JSON200)[0].Actor.Email == "admin@example.com"}, err
		}},
		{"UpdateOrganization", func() (result, error) {
			r, err := client.UpdateOrganizationWithResponse(ctx, acme, management.OrganizationRequest{DisplayName: "Acme Labs"})
			return result{r.StatusCode, r.JSON200.DisplayName == "Acme Labs"}, err
		}},
		{"LeaveOrganization", func() (result, error) {
			r, err := client.LeaveOrganizationWithResponse(ctx, acme)
			return result{r.StatusCode, r.JSON409 != nil}, err // the last admin
		}},
		{"ListOwnInvitations", func() (result, error) {
			r, err := client.ListOwnInvitationsWithResponse(ctx, nil)
			return result{r.StatusCode, (*r.JSON200)[0].Organization.Name == "globex"}, err
		}},
		{"AcceptInvitation", func() (result, error) {
			r, err := client.AcceptInvitationWithResponse(ctx, nil, management.AcceptInvitationRequest{ID: new(ownInvitation)})
			return result{r.StatusCode, r.JSON200.Role == "editor"}, err
		}},
		{"CreateOrganization", func() (result, error) {
			r, err := client.CreateOrganizationWithResponse(ctx, nil, management.OrganizationRequest{DisplayName: "Tidal Labs"})
			return result{r.StatusCode, r.JSON201.Name == "tidal-labs"}, err
		}},
	}
	calls = slices.Concat(programCalls(ctx, client), calls)
	called := map[string]bool{}
	adminColumn := slices.IndexFunc(walkers, func(c caller) bool { return c.who == admin })
	for _, c := range calls {
		called[c.operation] = true
		t.Run(c.operation, func(t *testing.T) {
			got, err := c.call()
			if err != nil {
				t.Fatal(err)
			}
			if want := walk[c.operation][adminColumn]; got.status() != want || !got.good {
				t.Errorf("got status %d, as expected: %v; want status %d", got.status(), got.good, want)
			}
		})
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(walk)), slices.Sorted(maps.Keys(called))); diff != "" {
		t.Errorf("not every operation is called (-walk +calls):\n%s", diff)
	}
}

// programCalls are those about service accounts and personal tokens.
func programCalls(ctx context.Context, client *management.ClientWithResponses) []clientCall {
	role, days := management.RoleViewer, 90
	return []clientCall{
		{"ListServiceAccounts", func() (result, error) {
			r, err := client.ListServiceAccountsWithResponse(ctx, nil)
			return result{r.StatusCode, (*r.JSON200)[0].Name == "deployer"}, err
		}},
		{"GetServiceAccount", func() (result, error) {
			r, err := client.GetServiceAccountWithResponse(ctx, deployer, nil)
			return result{r.StatusCode, r.JSON200.Role == "editor"}, err
		}},
		{"CreateServiceAccount", func() (result, error) {
			r, err := client.CreateServiceAccountWithResponse(ctx, nil, management.CreateServiceAccountRequest{Name: "builder", Role: role})
			return result{r.StatusCode, r.JSON201.Name == "builder"}, err
		}},
		{"UpdateServiceAccount", func() (result, error) {
			r, err := client.UpdateServiceAccountWithResponse(ctx, deployer, nil, management.UpdateServiceAccountRequest{Role: &role})
			return result{r.StatusCode, r.JSON200.Role == "viewer"}, err
		}},
		{"ListServiceAccountSecrets", func() (result, error) {
			r, err := client.ListServiceAccountSecretsWithResponse(ctx, deployer, nil)
			return result{r.StatusCode, (*r.JSON200)[0].ID == deployerSecret}, err
		}},
		{"CreateServiceAccountSecret", func() (result, error) {
			r, err := client.CreateServiceAccountSecretWithResponse(ctx, deployer, nil)
			return result{r.StatusCode, len(r.JSON201.Secret) == len("pss_")+43}, err
		}},
		{"DeleteServiceAccountSecret", func() (result, error) {
			r, err := client.DeleteServiceAccountSecretWithResponse(ctx, deployer, deployerSecret, nil)
			return result{r.StatusCode, true}, err
		}},
		{"ListServiceAccountKeys", func() (result, error) {
			r, err := client.ListServiceAccountKeysWithResponse(ctx, deployer, nil)
			return result{r.StatusCode, (*r.JSON200)[0].Name == "laptop"}, err
		}},
		{"RegisterServiceAccountKey", func() (result, error) {
			r, err := client.RegisterServiceAccountKeyWithResponse(ctx, deployer, nil, management.SSHKey{Name: "ci", Key: publicKey("ci")})
			return result{r.StatusCode, r.JSON201.Name == "ci"}, err
		}},
		{"DeregisterServiceAccountKey", func() (result, error) {
			r, err := client.DeregisterServiceAccountKeyWithResponse(ctx, deployer, "ci", nil)
			return result{r.StatusCode, true}, err
		}},
		{"DeleteServiceAccount", func() (result, error) {
			r, err := client.DeleteServiceAccountWithResponse(ctx, deployer, nil)
			return result{r.StatusCode, true}, err
		}},
		{"ListPersonalTokens", func() (result, error) {
			r, err := client.ListPersonalTokensWithResponse(ctx, nil)
			return result{r.StatusCode, (*r.JSON200)[0].ID == adminToken}, err
		}},
		{"CreatePersonalToken", func() (result, error) {
			r, err := client.CreatePersonalTokenWithResponse(ctx, management.CreatePersonalTokenRequest{Name: "nightly export", ExpiresInDays: &days})
			return result{r.StatusCode, r.JSON201.OrganizationID == acme}, err
		}},
		{"DeletePersonalToken", func() (result, error) {
			r, err := client.DeletePersonalTokenWithResponse(ctx, adminToken)
			return result{r.StatusCode, true}, err
		}},
	}
}
