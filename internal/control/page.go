package control

import (
	"fmt"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// Listing is a list, or a page of one.
type Listing[T any] struct {
	Items []T
	Next  string // the key to continue after; "" at the end
}

// list fetches a page and finds out whether another follows, by asking for one
// item more than the page holds.
func list[T any](page cloud.Page, fetch func(cloud.Page) ([]T, error), key func(T) string) (Listing[T], error) {
	limit := page.Limit
	if limit > 0 {
		page.Limit++
	}
	items, err := fetch(page)
	if err != nil || limit == 0 || len(items) <= limit {
		return Listing[T]{Items: items}, err
	}
	items = items[:limit]
	return Listing[T]{Items: items, Next: key(items[limit-1])}, nil
}

// checkRoom refuses another one, by saying full, where there are as many as there
// may be.
func checkRoom(had int64, err error, most int64, full string) error {
	if err == nil && had >= most {
		return cloud.Conflict("%s", fmt.Sprintf(full, most))
	}
	return err
}
