package managementapi

import (
	"context"
	"net/http"

	"github.com/penstock-cloud/penstock/internal/rest"
)

// answer is the response to a GET. The generated code asks of a response that
// it can visit a ResponseWriter; ours also needs the request (ETag, encoding),
// so serveAnswers takes it before the generated code does. The interfaces are
// embedded only to make it a response of each of these operations.
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
	ListKeysResponseObject
}

// answerWith encodes a value as the answer to a GET.
func answerWith(value any, link string) (answer, error) {
	rep, err := rest.NewRepresentation(value, link)
	return answer{Representation: rep}, err
}

func serveAnswers(next StrictHandlerFunc, _ string) StrictHandlerFunc {
	return func(ctx context.Context, w http.ResponseWriter, r *http.Request, request any) (any, error) {
		response, err := next(ctx, w, r, request)
		if a, ok := response.(answer); ok && err == nil {
			a.ServeHTTP(w, r)
			return nil, nil //nolint:nilnil // no response is left for the generated code
		}
		return response, err
	}
}
