package managementapi

import (
	"container/list"
	"net/http"
	"sync"
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

// listCache keeps whole lists in encoded form, the most recently used ones, in
// bounded memory. A list holds for one version of the organization's fleet, and
// from when it was read until the first health in it changes by itself; a clock
// that was set back finds none. Callers bring the version that they read from
// the store, so replicas agree.
type listCache struct {
	mu     sync.Mutex
	byKey  map[listKey]*list.Element // of *keptList
	recent list.List                 // most recently used first
	bytes  int
	limit  int
}

type keptList struct {
	key     listKey
	version cloud.FleetVersion
	from    time.Time
	until   time.Time // zero for never
	answer  answer
}

func (k *keptList) holds(version cloud.FleetVersion, now time.Time) bool {
	return k.version == version && !now.Before(k.from) && (k.until.IsZero() || now.Before(k.until))
}

func newListCache(limit int) *listCache {
	return &listCache{byKey: map[listKey]*list.Element{}, limit: limit}
}

// get returns the list if it is kept and still holds; no list has the key nil.
func (c *listCache) get(key *listKey, version cloud.FleetVersion, now time.Time) (answer, bool) {
	if key == nil {
		return answer{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[*key]
	if !ok {
		return answer{}, false
	}
	kept := keptIn(e)
	if !kept.holds(version, now) {
		return answer{}, false
	}
	c.recent.MoveToFront(e)
	return kept.answer, true
}

func (c *listCache) put(kept *keptList) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.byKey[kept.key]; ok {
		c.remove(e)
	}
	if kept.answer.Size() > c.limit {
		return
	}
	c.byKey[kept.key] = c.recent.PushFront(kept)
	c.bytes += kept.answer.Size()
	for c.bytes > c.limit {
		c.remove(c.recent.Back())
	}
}

func (c *listCache) remove(e *list.Element) {
	kept := keptIn(e)
	c.recent.Remove(e)
	delete(c.byKey, kept.key)
	c.bytes -= kept.answer.Size()
}

func keptIn(e *list.Element) *keptList {
	return e.Value.(*keptList) //nolint:forcetypeassert // the list holds nothing else
}
