package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// row is one line of the report: a load on the plane, and the same load on what
// it is compared with.
type row struct {
	Name  string  `json:"name"`
	Limit float64 `json:"at_least"`
	Result

	organization string
	query        string
	conditional  bool // with If-None-Match
	machines     bool // of a region, in place of the plane
	growth       bool // the plane with the large fleet, against the one with the small

	ours, base *load
	ops        string // the URL of the server that answers ours, for profiles
}

// Result is what the rounds of a row gave.
type Result struct {
	Ratio     spread `json:"ratio"` // of the throughputs of each round
	Ours      side   `json:"ours"`
	Base      side   `json:"base"`
	BodyBytes int64  `json:"body_bytes"`
	ratios    []float64
}

// missed reports whether the row is slower than it may be.
func (r *row) missed() bool { return r.Ratio.Median < r.Limit }

func allRows() []*row {
	return []*row{
		{Name: "GET /instances, 1,000 rows", Limit: 0.60, organization: largeOrganization},
		{Name: "GET /instances, 10 rows", Limit: 0.40, organization: smallOrganization},
		{Name: "GET /instances, 304", Limit: 0.60, organization: largeOrganization, conditional: true},
		{Name: "growth of the fleet, list kept", Limit: 0.90, organization: largeOrganization, growth: true},
		// Pages are never kept. This one holds all of the organization, so that it
		// costs what the first reading of the whole list does: each row is found
		// in a tree that is one level deeper.
		{Name: "growth of the fleet, list read", Limit: 0.80, organization: largeOrganization, query: "?limit=1000", growth: true},
		{Name: "machines: GET /instances, 1,000 rows", Limit: 0.80, machines: true},
	}
}

// connectRows records what the planes answer, has the bare process answer the
// same, and connects each row's loads.
func connectRows(ctx context.Context, rows []*row, planes map[fleetSize]*plane, connections int) (*bareProcess, error) {
	var answers []answer
	for _, r := range rows {
		p := planes[smallFleet]
		if r.growth {
			p = planes[largeFleet]
		}
		r.ops = p.ops
		request, recorded, err := r.record(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.Name, err)
		}
		r.BodyBytes = int64(len(recorded.Body))
		r.ours = newLoad(p.address(), p.pid(), request, recorded, connections)
		if !r.growth {
			answers = append(answers, recorded)
			continue
		}
		request, recorded, err = r.record(ctx, planes[smallFleet])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.Name, err)
		}
		r.base = newLoad(planes[smallFleet].address(), planes[smallFleet].pid(), request, recorded, connections)
	}
	bare, err := startBare(ctx, answers)
	if err != nil {
		return nil, err
	}
	addresses := bare.addresses
	for _, r := range rows {
		if r.base == nil {
			r.base = newLoad(addresses[0], bare.pid(), r.ours.request, answer{Status: r.ours.status, Body: make([]byte, r.ours.length)}, connections)
			addresses = addresses[1:]
		}
	}
	return bare, nil
}

// record asks once, and checks that the answer is the one to measure.
func (r *row) record(ctx context.Context, p *plane) (request []byte, recorded answer, err error) {
	token, err := p.token(ctx, r.organization)
	if err != nil {
		return nil, recorded, err
	}
	header := http.Header{"Accept": {"application/json"}, "Authorization": {"Bearer " + token}}
	ask := func() (answer, error) { return get(ctx, p.api+"/instances"+r.query, header) }
	if recorded, err = ask(); err != nil {
		return nil, recorded, err
	}
	if err := checkList(recorded, organizations[r.organization]); err != nil {
		return nil, recorded, err
	}
	if r.conditional {
		header.Set("If-None-Match", http.Header(recorded.Header).Get("ETag"))
		if recorded, err = ask(); err != nil {
			return nil, recorded, err
		}
		if recorded.Status != http.StatusNotModified {
			return nil, recorded, fmt.Errorf("the plane answers %d; want 304", recorded.Status)
		}
	}
	request, err = rawRequest(p.api+"/instances"+r.query, header)
	return request, recorded, err
}

// checkList refuses to measure anything but a full list of a healthy fleet.
func checkList(a answer, rows int) error {
	var list []struct{ Health string }
	if err := json.Unmarshal(a.Body, &list); err != nil || a.Status != http.StatusOK {
		return fmt.Errorf("the plane answers %d: %.200s", a.Status, a.Body)
	}
	if len(list) != rows {
		return fmt.Errorf("the list has %d rows; want %d", len(list), rows)
	}
	for _, instance := range list {
		if instance.Health != "healthy" {
			return fmt.Errorf("the fleet is %s; want healthy", instance.Health)
		}
	}
	return nil
}

// measure loads both sides of every row in turn, round by round: whatever else
// the machine does then meets all of them alike.
func measure(ctx context.Context, rows []*row, s settings) error {
	for round := range s.rounds + 1 {
		if round > 0 {
			progress("round %d of %d", round, s.rounds)
		}
		for _, r := range rows {
			if err := r.round(ctx, s.slice, round); err != nil {
				return fmt.Errorf("%s: %w", r.Name, err)
			}
		}
	}
	for _, r := range rows {
		r.Ratio = spreadOf(r.ratios)
		r.Ours, r.Base = r.ours.sum(), r.base.sum()
	}
	return nil
}

// round loads one side and then the other, by turns the one and the other
// first. Round 0 is for warming up.
func (r *row) round(ctx context.Context, slice time.Duration, round int) error {
	var speed [2]float64
	for turn := range 2 {
		i := (turn + round) % 2
		measured, err := []*load{r.ours, r.base}[i].run(ctx, slice)
		if err != nil {
			return fmt.Errorf("%s: %w", []string{"ours", "base"}[i], err)
		}
		speed[i] = measured.perSecond()
		if round > 0 {
			l := []*load{r.ours, r.base}[i]
			l.slices = append(l.slices, measured)
		}
	}
	if round > 0 {
		r.ratios = append(r.ratios, speed[0]/speed[1])
	}
	return nil
}
