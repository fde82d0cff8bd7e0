// Package cloud is the domain: what an organization, a member, a region or an
// instance is, which rules hold for them, which errors there are, and what a
// store has to keep.
//
// It owns types, pure rules and the contracts of the two stores (the plane's
// and a region's). It knows nothing of HTTP, SQL, tokens or the wall clock,
// and imports the standard library only; everything else in the house builds
// on it.
package cloud
