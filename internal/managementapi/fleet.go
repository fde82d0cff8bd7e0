package managementapi

import (
	"context"

	"github.com/google/uuid"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
)

// answerFleet answers with a list of what runs, and keeps it if it may be kept.
// The caller's version was read before the list was, so a kept list is never
// older than its version says.
func answerFleet[T, W any](ctx context.Context, s *Server, page cloud.Page, load func() (control.FleetListing[T], error), wire func(T) W) (answer, error) {
	listing, err := load()
	if err != nil {
		return answer{}, err
	}
	a, err := answerList(ctx, page, listing.Listing, wire)
	if x := exchangeOf(ctx); err == nil && x.list != nil {
		s.lists.Put(*x.list, listState{x.caller.Version, listing.From, listing.Until}, a.Representation)
	}
	return a, err
}

func optionalID(id *uuid.UUID) cloud.ID {
	if id == nil {
		return ""
	}
	return cloud.ID(id.String())
}
