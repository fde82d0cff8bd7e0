package region

// KeepTombstones makes the region keep few tombstones, and look for old ones
// at its next observation.
func (r *Region) KeepTombstones(n int) {
	r.keep, r.unpruned = n, pruneEvery
}
