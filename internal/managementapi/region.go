package managementapi

import (
	"context"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func (h handlers) ListRegions(ctx context.Context, r ListRegionsRequestObject) (ListRegionsResponseObject, error) {
	page, err := pageOf(r.Params.Limit, r.Params.Cursor, byName)
	if err != nil {
		return nil, err
	}
	regions, err := h.Control.Regions(ctx, page)
	if err != nil {
		return nil, err
	}
	return answerList(ctx, page, regions, wireRegion)
}

func wireRegion(r cloud.Region) Region { return Region{Name: r.Name, URL: r.URL} }
