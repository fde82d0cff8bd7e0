package region

// KeepChanges makes the region keep the tombstones of few changes, and look for
// old ones at its next observation.
func (r *Region) KeepChanges(n uint64) {
	r.keep, r.unpruned = n, pruneEvery
}
