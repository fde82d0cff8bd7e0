// Package region holds the use cases of a region: it takes what an engine
// observes, decides what of it is a change, and keeps the region's objects,
// the stream of their changes (seq, rev, digest, tombstones) and the knowledge
// of who was heard when. It knows what callers may do, from the plane's
// answers, and whether this process may act at all.
//
// It owns those decisions. It does not speak HTTP (package infrastructureapi
// does towards tenants, package federation towards the plane), and it knows
// engines and its database only by their contracts.
package region
