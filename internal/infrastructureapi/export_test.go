package infrastructureapi

import (
	"maps"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/rest"
)

// Routed returns the operations that have a handler.
func (s *Server) Routed() map[string]rest.Operation { return s.router.Routed() }

// Actions returns which action each operation asks for.
func Actions() map[string]cloud.Action { return maps.Clone(actions) }
