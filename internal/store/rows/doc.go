// Package rows is the translation between a database's rows and the domain, for
// every database: it implements the readers and writers of package cloud on the
// queries that sqlc generated.
//
// It owns which query answers which question, and what the absence of a row or
// of a change means. It does not open databases, begin transactions or know any
// database's errors: a store gives it a transaction whose errors are the
// domain's already.
package rows
