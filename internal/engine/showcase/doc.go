// Package showcase is an engine for demonstrations, development and tests.
// Nothing here is a real machine: no host, no GPU, no address and no cluster
// that it reports exists. What is honest about it is the behaviour: its
// instances take seconds to start and stop, now and then fail for a reason
// and recover, hosts fall silent for some minutes, a cluster's API goes away
// and comes back, and after a restart it goes on from what its region knew.
//
// It owns the fiction: which projects, types, names and incidents there are.
// Chance, time and pace are given to it, so that a run can be repeated. The
// work of a moment depends on how much changes, never on how large the fleet
// is.
package showcase
