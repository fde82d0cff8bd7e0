// Package enginetest is TestEngine, the suite that engines pass.
//
// It owns what is true of all engines: that an order may be given again, that
// whatever happens behind the engine's back is told and seen, that an engine
// that was started again finds what was there, that it ends when told to. How an
// engine does all this is for its own tests.
package enginetest
