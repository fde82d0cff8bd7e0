// Package management is a client of the Management API, generated from
// api/management.yaml. It follows the document and adds nothing of its own.
package management
