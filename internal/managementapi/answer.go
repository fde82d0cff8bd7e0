package managementapi

import "github.com/penstock-cloud/penstock/internal/rest"

// answer is the response to a GET, served by rest.ServeAnswers. The interfaces
// are embedded only to make it a response of each of these operations.
type answer struct {
	*rest.Representation
	ListRegionsResponseObject
	ListClustersResponseObject
	ListOrganizationsResponseObject
	ListMembersResponseObject
	ListInvitationsResponseObject
	ListInstancesResponseObject
	GetInstanceResponseObject
	GetUserResponseObject
	ListAuditResponseObject
	ListOwnInvitationsResponseObject
	ListKeysResponseObject
	ListServiceAccountsResponseObject
	GetServiceAccountResponseObject
	ListServiceAccountSecretsResponseObject
	ListServiceAccountKeysResponseObject
	ListPersonalTokensResponseObject
}

// answerWith encodes a value as the answer to a GET.
func answerWith(value any, link string) (answer, error) {
	rep, err := rest.NewRepresentation(value, link)
	return answer{Representation: rep}, err
}

func serveAnswers(next StrictHandlerFunc, _ string) StrictHandlerFunc { return rest.ServeAnswers(next) }
