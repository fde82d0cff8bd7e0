// Package infrastructureapi is the HTTP in front of package region: what
// tenants call at a region's own URL.
//
// It owns routes, statuses and the translation to and from JSON, and no rule
// of its own. For now a region only says that it lives, and that it does not
// serve the Infrastructure API yet.
package infrastructureapi
