// Package enginetest is the suite that every engine passes, and the Sink on
// which it does: a Recorder, which also serves engines' own tests.
//
// It owns what is true of all engines: that they say only what is valid, that
// whoever vouches for a thing was heard, that they take up from what the
// region knew, and that they end when told to. What an engine observes is for
// its own tests.
package enginetest
