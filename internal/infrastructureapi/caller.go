package infrastructureapi

import (
	"context"
	"net/http"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/observe"
	"github.com/penstock-cloud/penstock/internal/region"
	"github.com/penstock-cloud/penstock/internal/rest"
)

// actions says what each operation of the document asks for. Who may do it is
// the domain's table; an operation that is missing here stops the start.
//
// A kubeconfig opens a cluster to whoever has it: reading it is changing what
// runs, for which neither a viewer nor an old answer of the plane is enough.
var actions = map[string]cloud.Action{
	"ListCapabilities":  cloud.ActionReadCloud,
	"ListInstanceTypes": cloud.ActionReadCloud,
	"ListCapacity":      cloud.ActionReadFleet,

	"ListProjects":  cloud.ActionReadFleet,
	"GetProject":    cloud.ActionReadFleet,
	"CreateProject": cloud.ActionChangeFleet,
	"DeleteProject": cloud.ActionChangeFleet,

	"ListInstances":  cloud.ActionReadFleet,
	"GetInstance":    cloud.ActionReadFleet,
	"CreateInstance": cloud.ActionChangeFleet,
	"StartInstance":  cloud.ActionChangeFleet,
	"StopInstance":   cloud.ActionStopFleet,
	"DeleteInstance": cloud.ActionChangeFleet,

	"ListFilesystems":  cloud.ActionReadFleet,
	"GetFilesystem":    cloud.ActionReadFleet,
	"CreateFilesystem": cloud.ActionChangeFleet,
	"DeleteFilesystem": cloud.ActionChangeFleet,

	"ListKubernetesClusters":          cloud.ActionReadFleet,
	"GetKubernetesCluster":            cloud.ActionReadFleet,
	"CreateKubernetesCluster":         cloud.ActionChangeFleet,
	"DeleteKubernetesCluster":         cloud.ActionChangeFleet,
	"ListKubernetesNodePools":         cloud.ActionReadFleet,
	"ListAllKubernetesNodePools":      cloud.ActionReadFleet,
	"GetKubernetesNodePool":           cloud.ActionReadFleet,
	"CreateKubernetesNodePool":        cloud.ActionChangeFleet,
	"DeleteKubernetesNodePool":        cloud.ActionChangeFleet,
	"GetKubernetesClusterCredentials": cloud.ActionChangeFleet,

	"ListSlurmClusters":     cloud.ActionReadFleet,
	"GetSlurmCluster":       cloud.ActionReadFleet,
	"CreateSlurmCluster":    cloud.ActionChangeFleet,
	"DeleteSlurmCluster":    cloud.ActionChangeFleet,
	"ListSlurmNodePools":    cloud.ActionReadFleet,
	"ListAllSlurmNodePools": cloud.ActionReadFleet,
	"GetSlurmNodePool":      cloud.ActionReadFleet,
	"CreateSlurmNodePool":   cloud.ActionChangeFleet,
	"DeleteSlurmNodePool":   cloud.ActionChangeFleet,
}

const (
	organizationHeader = "X-ORG-ID"
	projectHeader      = "X-PROJECT-ID"
)

type callerKey struct{}

func callerOf(ctx context.Context) region.Caller {
	return ctx.Value(callerKey{}).(region.Caller) //nolint:forcetypeassert // admit sets it for every operation
}

// admit is the middleware that finds out who is calling, for which organization
// and project, and whether they may. It comes before everything that looks at
// parameters or body; whoever may read a list that is kept gets it here, since
// the same question was found well-formed when the list was made.
func (s *Server) admit(op rest.Operation, next http.Handler) http.Handler {
	action, needsProject := actions[op.ID], op.Requires("header", projectHeader)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		address := s.ClientAddress(r)
		caller, err := s.identify(w, r, address, action, needsProject)
		caller.Origin = cloud.Origin{RequestID: rest.RequestID(w), Address: address}
		if err != nil {
			s.errors.Write(w, r, err)
			return
		}
		if op.ID == keptList && r.URL.RawQuery == "" {
			if kept := s.kept(caller); kept != nil {
				kept.ServeHTTP(w, r)
				return
			}
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, caller)))
	})
}

func (s *Server) identify(w http.ResponseWriter, r *http.Request, address string, action cloud.Action, needsProject bool) (region.Caller, error) {
	principal, err := s.Limits.Identify(w, r, s.Verifier, address)
	observe.NoteUser(r.Context(), principal.UserID)
	if err != nil {
		return region.Caller{}, err
	}
	organization, err := idIn(r, organizationHeader)
	if err != nil {
		return region.Caller{}, err
	}
	var project cloud.ID
	if needsProject {
		if project, err = projectIn(r); err != nil {
			return region.Caller{}, err
		}
	}
	return s.Region.Admit(r.Context(), principal, action, organization, project)
}

func projectIn(r *http.Request) (cloud.ID, error) {
	project, err := idIn(r, projectHeader)
	if err == nil && project == "" {
		err = cloud.Invalid("header %s is required; send the id of one of the projects that GET /projects lists", projectHeader)
	}
	return project, err
}

// idIn reads an id from a header; "" if it is not there.
func idIn(r *http.Request, header string) (cloud.ID, error) {
	switch values := r.Header.Values(header); len(values) {
	case 0:
		return "", nil
	case 1:
		id, err := cloud.ParseID(values[0])
		if err != nil {
			return "", cloud.About("header "+header, err)
		}
		return id, nil
	default:
		return "", cloud.Invalid("header %s is there %d times; send it once", header, len(values))
	}
}
