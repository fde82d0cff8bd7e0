// Package api holds the contracts: the OpenAPI documents from which servers and
// clients are generated, embedded so that the program can serve them and check
// requests against them.
//
// It owns the documents and the settings of their generators. What the
// operations do is not here.
package api
