// Package engine is the contract between a region and whatever really runs its
// machines: a hypervisor, a cloud's API, a rack controller. An Engine takes
// orders and tells what it sees. What else is seen, of things to which nobody
// here gives orders, is a Batch of observations.
//
// It owns the contract and nothing behind it: each engine has a package of its
// own below this one, and enginetest is the suite that all of them pass.
package engine
