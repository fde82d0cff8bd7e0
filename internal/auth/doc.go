// Package auth says who is calling: it verifies bearer tokens and turns them
// into principals.
//
// It owns the rules by which a token is believed and the cache of those that
// were. It does not own the keys (a KeySource brings them: package issuer in the
// plane, package published in a region), and never decides what a caller may do:
// membership, roles and revocation are read on every request, elsewhere.
package auth
