// Package remote keeps keys whose origin is elsewhere.
//
// It owns how documents are fetched, how often, for how long keys are kept while
// their origin is away, and which keys of a JWK Set are usable. It does not own
// whose keys are believed: package published asks the plane, package trusted the
// issuers that an operator names.
package remote
