// Package federation is the link on which a region tells the global plane what
// it has: both ends of the protocol of api/federation.yaml, and the state
// machine that keeps the plane's copy equal to the region's own list however
// messages are lost, repeated or delayed. The region's audit goes the same way,
// entry by entry, and is in the plane's once.
//
// The region's end is the Reporter (reporter*.go); the plane's end answers it.
// The messages themselves are generated, in package wire. What a region has is
// package region's affair, what the plane does with it the control plane's,
// and health is a rule of package cloud.
package federation
