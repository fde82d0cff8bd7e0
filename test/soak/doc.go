// Package soak is how a test goes on for as long as it is told: a few rounds in
// `make test`, and in `make soak` as many as PENSTOCK_TEST_SOAK says, which is a
// span ("10m") or a number of rounds ("200x").
//
// A test that soaks is called TestSoak…, by which `make soak` finds it, in any
// package, and is a loop over Rounds. Each round has random numbers of its own,
// whose seed is in the log; PENSTOCK_TEST_SEED plays them again. That decides
// what the test does and when; what the machine makes of it is its own affair.
package soak
