package control

import (
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// assessor computes health within one consistent state of the store.
type assessor struct {
	clock cloud.HealthClock
	links map[string]*cloud.Link
	until time.Time // the earliest instant at which any assessment so far changes
}

func (c *Control) newAssessor(tx cloud.Reader) (*assessor, error) {
	plane, err := tx.Plane()
	if err != nil {
		return nil, err
	}
	links, err := tx.Links()
	if err != nil {
		return nil, err
	}
	a := &assessor{
		clock: cloud.HealthClock{Now: c.now(), Policy: c.policy, Outages: plane.Outages},
		links: make(map[string]*cloud.Link, len(links)),
	}
	for i := range links {
		a.links[links[i].Region] = &links[i]
	}
	return a, nil
}

func (a *assessor) link(region string) *cloud.Link {
	if l := a.links[region]; l != nil {
		return l
	}
	return &cloud.Link{Region: region}
}

// FleetListing is a list whose health was computed when it was read.
type FleetListing[T any] struct {
	Listing[T]
	From  time.Time // when it was read
	Until time.Time // when the first health changes if nothing is reported; zero for never
}

// assess lists what fetch finds, each with its health.
func assess[T any, A interface{ key() string }](c *Control, tx cloud.Reader, page cloud.Page, fetch func(cloud.Page) ([]T, error), one func(*assessor, T) A) (FleetListing[A], error) {
	a, err := c.newAssessor(tx)
	if err != nil {
		return FleetListing[A]{}, err
	}
	listing, err := list(page, func(p cloud.Page) ([]A, error) {
		found, err := fetch(p)
		assessed := make([]A, len(found))
		for i, item := range found {
			assessed[i] = one(a, item)
		}
		return assessed, err
	}, A.key)
	return FleetListing[A]{listing, a.clock.Now, a.until}, err
}
