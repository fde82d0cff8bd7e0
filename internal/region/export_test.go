package region

// KeepChanges makes the region keep the tombstones of few changes, and look for
// old ones at its next observation.
func (r *Region) KeepChanges(n uint64) {
	r.keep, r.unpruned = n, pruneEvery
}

// RememberGrants bounds what is kept in memory of members, and of those who are
// none, in bytes.
func (g *Grants) RememberGrants(n int) { g.members.most, g.strangers.most = n, n }
