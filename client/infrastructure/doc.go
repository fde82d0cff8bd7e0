// Package infrastructure is a client of the Infrastructure API, generated from
// api/infrastructure.yaml. It follows the document and adds nothing of its own.
package infrastructure
