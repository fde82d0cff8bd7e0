// Package managementapi puts HTTP in front of package control: the Management
// API of api/management.yaml, generated, with one file per resource that
// translates and does nothing else.
//
// It owns the order of checks, which action each operation asks for, and the
// cache of encoded lists. It decides nothing about the domain.
package managementapi
