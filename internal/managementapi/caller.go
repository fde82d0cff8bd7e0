package managementapi

import (
	"context"
	"net/http"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/observe"
	"github.com/penstock-cloud/penstock/internal/rest"
)

// actions says what each operation of the document asks for. Who may do it is
// the domain's table; an operation that is missing here stops the start.
var actions = map[string]cloud.Action{
	"ListRegions":        cloud.ActionReadCloud,
	"ListOrganizations":  cloud.ActionReadCloud,
	"GetUser":            cloud.ActionReadOwnAccount,
	"ListKeys":           cloud.ActionReadOwnAccount,
	"ListOwnInvitations": cloud.ActionReadOwnAccount,
	"RegisterKey":        cloud.ActionManageOwnKeys,
	"DeregisterKey":      cloud.ActionManageOwnKeys,
	"CreateOrganization": cloud.ActionFoundOrganization,
	"AcceptInvitation":   cloud.ActionAcceptInvitation,
	"ListClusters":       cloud.ActionReadFleet,
	"ListInstances":      cloud.ActionReadFleet,
	"GetInstance":        cloud.ActionReadFleet,
	"ListMembers":        cloud.ActionReadAccounts,
	"ListInvitations":    cloud.ActionReadAccounts,
	"LeaveOrganization":  cloud.ActionLeaveOrganization,
	"UpdateMember":       cloud.ActionManageMembers,
	"DeleteMember":       cloud.ActionManageMembers,
	"CreateInvitation":   cloud.ActionManageInvitations,
	"ResendInvitation":   cloud.ActionManageInvitations,
	"DeleteInvitation":   cloud.ActionManageInvitations,
	"UpdateOrganization": cloud.ActionManageOrganization,
	"ListAudit":          cloud.ActionReadAudit,

	"ListServiceAccounts":         cloud.ActionReadAccounts,
	"GetServiceAccount":           cloud.ActionReadAccounts,
	"ListServiceAccountSecrets":   cloud.ActionReadAccounts,
	"ListServiceAccountKeys":      cloud.ActionReadAccounts,
	"CreateServiceAccount":        cloud.ActionManageServices,
	"UpdateServiceAccount":        cloud.ActionManageServices,
	"DeleteServiceAccount":        cloud.ActionManageServices,
	"CreateServiceAccountSecret":  cloud.ActionManageServices,
	"DeleteServiceAccountSecret":  cloud.ActionManageServices,
	"RegisterServiceAccountKey":   cloud.ActionManageServices,
	"DeregisterServiceAccountKey": cloud.ActionManageServices,

	"ListPersonalTokens":  cloud.ActionReadOwnTokens,
	"CreatePersonalToken": cloud.ActionManageOwnTokens,
	"DeletePersonalToken": cloud.ActionManageOwnTokens,
}

// named are the operations of which the id in the path is the organization's.
var named = map[string]bool{"UpdateOrganization": true, "LeaveOrganization": true}

// exchange is what the way of a request found out before its handler.
type exchange struct {
	caller cloud.Caller
	path   string
	list   *listKey // under which the answer may be kept; nil if it may not
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange {
	return ctx.Value(exchangeKey{}).(*exchange) //nolint:forcetypeassert // admit sets it for every operation
}

func callerOf(ctx context.Context) cloud.Caller { return exchangeOf(ctx).caller }

// admit is the middleware that finds out who is calling, for which
// organization, and whether they may. It comes before everything that looks at
// parameters or body; whoever may read a list that is kept gets it here, since
// the same question was found well-formed when the list was made.
func (s *Server) admit(op rest.Operation, next http.Handler) http.Handler {
	action := actions[op.ID]
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, err := s.identify(w, r, op, action)
		if err != nil {
			s.errors.Write(w, r, err)
			return
		}
		key := listKeyOf(op, caller, r)
		if kept := s.kept(key, caller.Version); kept != nil {
			kept.ServeHTTP(w, r)
			return
		}
		ctx := context.WithValue(r.Context(), exchangeKey{}, &exchange{caller: caller, path: r.URL.Path, list: key})
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func (s *Server) identify(w http.ResponseWriter, r *http.Request, op rest.Operation, action cloud.Action) (cloud.Caller, error) {
	address := s.ClientAddress(r)
	principal, err := s.Limits.Identify(w, r, s.Verifier, address)
	observe.NoteUser(r.Context(), principal.UserID)
	if err != nil {
		return cloud.Caller{}, err
	}
	admit, organization := s.Control.Admit, r.Header.Get("X-ORG-ID")
	if named[op.ID] {
		admit, organization = s.Control.AdmitTo, r.PathValue("id")
	}
	caller, err := admit(r.Context(), principal, action, organization)
	caller.Origin = cloud.Origin{RequestID: rest.RequestID(w), Address: address}
	return caller, err
}
