package managementapi

import (
	"maps"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/rest"
)

// Routed returns the operations that have a handler.
func (s *Server) Routed() map[string]rest.Operation { return s.router.Routed() }

// Named returns the operations of which the path names the organization.
func Named() map[string]bool { return maps.Clone(named) }

// Actions returns which action each operation asks for.
func Actions() map[string]cloud.Action { return maps.Clone(actions) }
