// Package infrastructureapi is the HTTP in front of package region: what
// tenants call at a region's own URL. The Infrastructure API of
// api/infrastructure.yaml, generated, with one file per resource that
// translates and does nothing else.
//
// It owns the order of checks, which action each operation asks for, and what
// is told of the region's capabilities. It decides nothing about the domain.
package infrastructureapi
