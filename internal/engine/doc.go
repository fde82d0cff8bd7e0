// Package engine is the contract between a region and whatever really runs
// its machines: a hypervisor, a cloud's API, a rack controller. An engine
// pushes what it observes into a Sink; the region decides what of it is news.
//
// It owns the contract and nothing behind it: each engine has a package of its
// own below this one, and enginetest is the suite that all of them pass. What
// a region asks of an engine (to launch, to stop) is not part of it yet.
package engine
