// Package enginetest is the suites that engines pass: TestEngine for those
// that take orders, TestInventory for those that only tell of what runs
// elsewhere; and the Sink on which the latter do: a Recorder, which also
// serves engines' own tests.
//
// It owns what is true of all engines. Of those that take orders: that an order
// may be given again, that whatever happens behind the engine's back is told
// and seen, that an engine that was started again finds what was there. Of
// those that tell: that they say only what is valid, that whoever vouches for a
// thing was heard, that they take up from what the region knew. Of both: that
// they end when told to. How an engine does all this is for its own tests.
package enginetest
