package region

import (
	"slices"
	"sync"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// rooms remembers what is taken of the hosts, so that not every placement reads
// all of them. It only ever says where there may be room: whether there is, the
// database knows, which refuses what would not fit; and that there is none, it
// alone says. So nothing but speed depends on its being right.
type rooms struct {
	mu    sync.Mutex
	hosts []cloud.HostUse // by name; nil for not known
}

// set takes what was read.
func (r *rooms) set(hosts []cloud.HostUse) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hosts = slices.Clone(hosts)
}

// forget is called where what was remembered may be wrong.
func (r *rooms) forget() { r.set(nil) }

// place decides where a machine goes, if it is known to fit somewhere.
func (r *rooms) place(m cloud.Machine) placement {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fit(m, r.hosts)
}

// exchange notes what a machine has of a host, in place of what it had.
func (r *rooms) exchange(before, after cloud.Machine) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hosts == nil {
		return
	}
	if before.Placed {
		vacate(r.hosts, before)
	}
	if after.Placed {
		seat(r.hosts, after)
	}
}

// moves reports whether a change of a machine changes what is taken.
func moves(before, after cloud.Machine) bool {
	return before.Placed != after.Placed || before.Host != after.Host || !slices.Equal(before.GPUs, after.GPUs)
}
