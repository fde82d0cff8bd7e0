package region

import "github.com/penstock-cloud/penstock/internal/cloud"

// KeepChanges makes the region keep the tombstones of few changes, and look for
// old ones at its next observation.
func (r *Region) KeepChanges(n uint64) {
	r.keep, r.unpruned = n, pruneEvery
}

// RememberGrants bounds what is kept in memory of members, and of those who are
// none, in bytes.
func (g *Grants) RememberGrants(n int) { g.members.most, g.strangers.most = n, n }

// Misremember has the region believe that nothing is taken of its hosts.
func (r *Region) Misremember(hosts []cloud.Host) {
	free := make([]cloud.HostUse, len(hosts))
	for i, h := range hosts {
		free[i].Host = h
	}
	r.rooms.set(free)
}

// Remembers lists what the region believes of its hosts.
func (r *Region) Remembers() []cloud.HostUse { return r.rooms.hosts }
