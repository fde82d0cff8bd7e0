package managementapi

import (
	"context"

	"github.com/google/uuid"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
)

// answerFleet answers with a list of what runs. Whole lists are kept in
// encoded form; the caller's version was read before the list is, so a kept
// list is never older than its version says.
func answerFleet[T, W any](ctx context.Context, s *Server, key listKey, page cloud.Page, load func() (control.FleetListing[T], error), wire func(T) W) (answer, error) {
	caller := callerOf(ctx)
	whole := page == cloud.Page{}
	if whole {
		if kept, ok := s.lists.get(key, caller.Version, s.Now()); ok {
			return kept, nil
		}
	}
	listing, err := load()
	if err != nil {
		return answer{}, err
	}
	a, err := answerList(ctx, page, listing.Listing, wire)
	if err == nil && whole {
		s.lists.put(&keptList{key: key, version: caller.Version, until: listing.Until, answer: a})
	}
	return a, err
}

func optionalID(id *uuid.UUID) cloud.ID {
	if id == nil {
		return ""
	}
	return cloud.ID(id.String())
}

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
