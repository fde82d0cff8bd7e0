// Package managementapi is HTTP in front of package control: the Management API
// as api/management.yaml describes it, routes and types generated from there.
//
// It owns the translation of requests, answers and errors, and the order in
// which a request is checked. It does not decide who may do what, and never
// sees a store.
package managementapi
