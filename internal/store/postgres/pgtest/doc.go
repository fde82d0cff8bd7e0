// Package pgtest gives tests a real PostgreSQL: a database of a test's own, a
// server of its own that stops and comes back, and a pair of which the primary
// dies.
//
// It owns the servers: finding or installing the programs, starting, stopping
// and killing them, and clearing away what they leave however the tests end. It
// knows nothing of what is kept in the databases: schemas, queries and what a
// store must do are with the store and its suite.
//
// PENSTOCK_TEST_POSTGRES, the URL of a role that may create databases, names a
// server for [Database] to use. Without it, and always where a story needs to
// stop a server, they are throw-away servers on loopback, run by a user other
// than root from Debian's postgresql package, which root gets by apt-get where
// it is missing. Tests that can have no server are skipped, or fail under
// CI=true.
package pgtest
