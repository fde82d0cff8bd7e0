// Package trusted is where the keys of issuers come from that an operator lets
// speak for some organizations, beside our own.
//
// It owns how such an issuer is named and found, and how long its keys are kept.
// It does not own what makes a token good (package auth does), nor whose account
// a subject is.
package trusted
