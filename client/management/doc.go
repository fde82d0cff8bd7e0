// Package management is the Go client of the Management API, generated from
// api/management.yaml: a type for every schema and a method for every
// operation. NewClientWithResponses is the way in.
//
// It owns nothing but the translation to and from HTTP: tokens come from the
// caller, and nothing is retried.
package management
