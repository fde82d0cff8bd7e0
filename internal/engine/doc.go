// Package engine is the contract between a region and whatever really runs its
// machines: a hypervisor, a cloud's API, a rack controller. An Engine takes
// orders and tells what it sees. An Inventory takes none: it pushes what it
// observes into a Sink, and the region decides what of it is news.
//
// It owns the contract and nothing behind it: each engine has a package of its
// own below this one, and enginetest is the suite that all of them pass.
package engine
