package region

import (
	"sync"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// owners remembers to which organization projects belong, each for as long as
// its revision stays the same, since projects are deleted.
type owners struct {
	mu sync.RWMutex
	of map[cloud.ID]owner
}

type owner struct {
	organization cloud.ID
	revision     Revision
}

// mostOwners bounds how many are remembered; those who are asked for after that
// are learnt anew.
const mostOwners = 1 << 14

func (o *owners) get(project cloud.ID, now Revision) (cloud.ID, bool) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	known, ok := o.of[project]
	return known.organization, ok && now != 0 && known.revision == now
}

// put remembers what was read after the revision was.
func (o *owners) put(project, organization cloud.ID, as Revision) {
	if as == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.of == nil || len(o.of) >= mostOwners {
		o.of = map[cloud.ID]owner{}
	}
	o.of[project] = owner{organization, as}
}
