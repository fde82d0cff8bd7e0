package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
)

// run makes one whole measurement, with everything it leaves behind in dir.
func run(ctx context.Context, s settings, dir string) (*report, error) {
	rows := slices.DeleteFunc(allRows(), func(r *row) bool { return !s.run.MatchString(r.Name) })
	r := newReport(s, rows)

	binary, sizes, err := build(ctx, dir)
	if err != nil {
		return nil, err
	}
	r.Binary = sizes

	if err := r.runLink(ctx, s, binary, dir); err != nil {
		return nil, err
	}
	var ofRegion []*row
	rows, ofRegion = apart(rows)
	if len(ofRegion) > 0 || s.run.MatchString(machineRow) {
		if r.Machines, err = measureMachines(ctx, s, binary, filepath.Join(dir, "site"), ofRegion); err != nil {
			return nil, err
		}
	}
	if len(rows) == 0 {
		return r, nil
	}

	planes := map[fleetSize]*plane{}
	defer func() {
		for _, p := range planes {
			p.stop()
		}
	}()
	for size, instances := range map[fleetSize]int{smallFleet: s.fleet, largeFleet: s.largeFleet} {
		if size == largeFleet && !slices.ContainsFunc(rows, func(r *row) bool { return r.growth }) {
			continue
		}
		p, err := preparePlane(ctx, binary, filepath.Join(dir, string(size)), instances)
		if err != nil {
			return nil, err
		}
		planes[size] = p
	}

	bare, err := connectRows(ctx, rows, planes, s.connections)
	if err != nil {
		return nil, err
	}
	defer bare.stop()
	if err := measure(ctx, rows, s); err != nil {
		return nil, err
	}
	if err := profile(ctx, rows, s); err != nil {
		return nil, err
	}
	for _, size := range []fleetSize{smallFleet, largeFleet} {
		if p := planes[size]; p != nil {
			p.loaded = memory(p.pid())
			footprint, err := p.footprint(ctx, s.starts)
			if err != nil {
				return nil, err
			}
			r.Planes = append(r.Planes, footprint)
		}
	}
	return r, nil
}

// apart tells the rows about a region from those about the plane.
func apart(rows []*row) (plane, region []*row) {
	for _, r := range rows {
		if r.machines {
			region = append(region, r)
		} else {
			plane = append(plane, r)
		}
	}
	return plane, region
}

// runLink measures the link to the regions, each plane by itself.
func (r *report) runLink(ctx context.Context, s settings, binary, dir string) (err error) {
	if s.run.MatchString(linkRow) {
		if r.Link, err = measureLink(ctx, s, binary, filepath.Join(dir, "link")); err != nil {
			return fmt.Errorf("%s: %w", linkRow, err)
		}
	}
	if s.run.MatchString(restRow) {
		if r.Rest, err = measureRest(ctx, s, binary, filepath.Join(dir, "rest")); err != nil {
			return fmt.Errorf("%s: %w", restRow, err)
		}
	}
	return nil
}
