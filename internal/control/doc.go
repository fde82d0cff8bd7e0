// Package control holds the use cases of the global plane: each one decides
// whether the caller may, applies the domain's rules, and changes the store in
// one transaction together with its audit entry.
//
// It owns who may do what and when. It does not know HTTP, SQL or how a token
// is verified.
package control
