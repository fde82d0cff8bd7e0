package infrastructureapi

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/rest"
)

// answer is the response to a GET, served by rest.ServeAnswers. The interfaces
// are embedded only to make it a response of each of these operations.
type answer struct {
	*rest.Representation
	ListCapabilitiesResponseObject
	ListCapacityResponseObject
	ListInstanceTypesResponseObject
	ListProjectsResponseObject
	GetProjectResponseObject
	ListInstancesResponseObject
	GetInstanceResponseObject
	ListFilesystemsResponseObject
	GetFilesystemResponseObject
	ListKubernetesClustersResponseObject
	GetKubernetesClusterResponseObject
	ListKubernetesNodePoolsResponseObject
	ListAllKubernetesNodePoolsResponseObject
	GetKubernetesNodePoolResponseObject
	ListSlurmClustersResponseObject
	GetSlurmClusterResponseObject
	ListSlurmNodePoolsResponseObject
	ListAllSlurmNodePoolsResponseObject
	GetSlurmNodePoolResponseObject
}

func serveAnswers(next StrictHandlerFunc, _ string) StrictHandlerFunc { return rest.ServeAnswers(next) }

// answerOne answers a GET with what was found.
func answerOne[T, W any](found T, err error, wire func(T) W) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	rep, err := rest.NewRepresentation(wire(found), "")
	return answer{Representation: rep}, err
}

// answerList answers a GET with a list; never null.
func answerList[T, W any](items []T, err error, wire func(T) W) (answer, error) {
	return answerOne(items, err, func(items []T) []W { return rest.Translate(items, wire) })
}

// kubeconfig is the one answer that is not JSON. Nobody may keep it.
type kubeconfig []byte

// VisitGetKubernetesClusterCredentialsResponse implements the generated
// interface.
func (k kubeconfig) VisitGetKubernetesClusterCredentialsResponse(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("Cache-Control", "no-store")
	_, err := w.Write(k) //nolint:gosec // YAML that says so, with nosniff: no browser takes it for a page
	return err
}

// uuidOf is an id of ours, which is a UUID, as the generated code has it.
func uuidOf(id cloud.ID) uuid.UUID { return uuid.MustParse(string(id)) }

func idOf(id uuid.UUID) cloud.ID { return cloud.ID(id.String()) }

// tagsOf is never nil, which JSON would spell null.
func tagsOf(tags cloud.Tags) Tags {
	if tags == nil {
		return Tags{}
	}
	return Tags(tags)
}
