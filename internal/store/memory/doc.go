// Package memory keeps data in memory, for tests that tell thousands of
// stories: a transaction costs microseconds, and Clone is a backup.
//
// Region is the whole of cloud.RegionStore. Plane is as much of cloud.Store as
// the federation link touches; anything else in it panics. Both pass the suites
// in internal/store/storetest. Nothing that runs in production uses them.
package memory
