// Package rest is what our HTTP APIs have in common: routes taken from an
// OpenAPI document, requests validated against it, refusals turned into
// statuses in one place, and representations served with ETag and gzip.
//
// It owns nothing of a particular API: who may call an operation, and what it
// does, belongs to the package of that API.
package rest
