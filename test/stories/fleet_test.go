package stories

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
)

// shown is an instance as the plane shows it.
type shown struct {
	ID     cloud.ID
	State  cloud.InstanceState
	Region string
	Health cloud.InstanceHealth
}

// fleetOf asks the plane, with the token in TOKEN, for a region's instances.
func fleetOf(ts *testscript.TestScript, api, region string) (list []shown, err error) {
	q := question{method: http.MethodGet, url: api + "/instances", header: http.Header{}, status: http.StatusOK, count: -1}
	q.authorize(ts.Getenv("TOKEN"))
	got, err := q.ask()
	if err != nil {
		return nil, err
	}
	var all []shown
	if err := json.Unmarshal(got.body, &all); err != nil {
		return nil, err
	}
	for _, i := range all {
		if i.Region == region {
			list = append(list, i)
		}
	}
	return list, nil
}

// cmdShows waits until the plane shows what a region has.
func cmdShows(ts *testscript.TestScript, args []string) {
	need(ts, len(args) == 3, "shows API REGION DATABASE")
	ctx := context.Background()
	db, err := sqlite.OpenRegion(ctx, ts.MkAbs(args[2]), func() cloud.ID { return "" })
	ts.Check(err)
	defer db.Close()
	ts.Check(wait(func() error {
		list, err := fleetOf(ts, args[0], args[1])
		if err != nil {
			return err
		}
		got := map[cloud.ID]cloud.InstanceState{}
		for _, i := range list {
			got[i.ID] = i.State
		}
		want, err := states(ctx, db)
		if err != nil {
			return err
		}
		if len(want) == 0 || !maps.Equal(want, got) {
			return fmt.Errorf("region %s has %v, and the plane shows %v", args[1], want, got)
		}
		return nil
	}))
}

// states is a region's own list.
func states(ctx context.Context, db cloud.RegionStore) (map[cloud.ID]cloud.InstanceState, error) {
	list := map[cloud.ID]cloud.InstanceState{}
	err := db.Read(ctx, func(tx cloud.RegionReader) error {
		objects, err := tx.Objects(cloud.ObjectKey{Kind: cloud.KindInstance}, 1000)
		for _, o := range objects {
			report, err := cloud.ParseInstanceReport(o.Body)
			if err != nil {
				return err
			}
			list[o.ID] = report.State
		}
		return err
	})
	return list, err
}

// cmdBelieved waits until the plane believes a region as far as that. One that
// is fresh may have a host that is silent.
func cmdBelieved(ts *testscript.TestScript, args []string) {
	need(ts, len(args) == 3, "believed API REGION fresh|stale|offline")
	ts.Check(wait(func() error {
		list, err := fleetOf(ts, args[0], args[1])
		if err != nil {
			return err
		}
		is := map[cloud.InstanceHealth]int{}
		for _, i := range list {
			is[i.Health]++
		}
		ok := false
		switch args[2] {
		case "fresh":
			ok = is[cloud.InstanceHealthy] > 0
		case "stale":
			ok = is[cloud.InstanceHealthy] == 0 && is[cloud.InstanceStale] > 0
		case "offline":
			ok = is[cloud.InstanceOffline] == len(list) && len(list) > 0
		}
		if !ok {
			return fmt.Errorf("region %s is to be %s, and its instances are %v", args[1], args[2], is)
		}
		return nil
	}))
}
