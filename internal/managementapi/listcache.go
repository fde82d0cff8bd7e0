package managementapi

import (
	"net/http"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/rest"
)

// listKey names a list that can be kept: an operation's, of an organization,
// under a filter.
type listKey struct {
	operation    string
	organization cloud.ID
	project      string // as the caller spells it; "" for all
}

// keptLists are the operations whose answers are kept. Each depends on nothing
// but what a listKey names, the caller's version, and the time.
var keptLists = map[string]bool{"ListClusters": true, "ListInstances": true}

// listKeyOf names the list that a request asks for; nil if it is not one to
// keep, as pages are not, or one that validation has yet to refuse.
func listKeyOf(op rest.Operation, caller cloud.Caller, r *http.Request) *listKey {
	organization, project := r.Header["X-Org-Id"], r.Header["X-Project-Id"]
	if !keptLists[op.ID] || r.URL.RawQuery != "" || odd(organization) || odd(project) {
		return nil
	}
	key := &listKey{operation: op.ID, organization: caller.Relation.OrganizationID}
	if len(project) > 0 {
		key.project = project[0]
	}
	return key
}

// odd reports whether a header is there and yet names no one thing.
func odd(values []string) bool { return len(values) > 1 || len(values) == 1 && values[0] == "" }

// listState is what a list was read of. The list holds for one version of the
// organization's fleet, and from when it was read until the first health in it
// changes by itself; a clock that was set back finds none. Callers bring the
// version that they read from the store, so replicas agree.
type listState struct {
	version cloud.FleetVersion
	from    time.Time
	until   time.Time // zero for never
}

func (s listState) holds(version cloud.FleetVersion, now time.Time) bool {
	return s.version == version && !now.Before(s.from) && (s.until.IsZero() || now.Before(s.until))
}

// kept returns the list if it is kept and still holds; no list has the key nil.
func (s *Server) kept(key *listKey, version cloud.FleetVersion) *rest.Representation {
	if key == nil {
		return nil
	}
	now := s.Now()
	return s.lists.Get(*key, func(of listState) bool { return of.holds(version, now) })
}
