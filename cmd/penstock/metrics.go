package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// regionCollector tells, when it is scraped, how the regions and their links
// stand.
type regionCollector struct {
	statuses func(context.Context) ([]cloud.RegionStatus, error)
}

// scrapeTimeout bounds the one read that a scrape costs.
const scrapeTimeout = 5 * time.Second

func newRegionCollector(regions interface {
	RegionStatuses(context.Context) ([]cloud.RegionStatus, error)
},
) *regionCollector {
	return &regionCollector{regions.RegionStatuses}
}

// The metrics of a region. Sources are summed up: their names are the region's
// to choose, and may be many.
var (
	regionSyncAge = regionMetric("penstock_region_sync_age_seconds",
		"Time since the plane accepted a region's last sync.")
	regionApplied = regionMetric("penstock_region_applied_seq",
		"The last seq of the region that the plane applied.")
	regionLag = regionMetric("penstock_region_lag_changes",
		"Changes that the region is known to have and the plane has not applied.")
	regionEpoch = regionMetric("penstock_region_epoch",
		"How often a daemon of the region said hello.")
	regionObjects = regionMetric("penstock_region_objects",
		"Objects that the plane has of the region, held ones too.", "kind")
	regionHeld = regionMetric("penstock_region_held_objects",
		"Objects that are held aside and not shown to tenants.", "reason")
	regionMissing = regionMetric("penstock_region_missing_objects",
		"Objects that are held as missing, since a snapshot lacked too many at once.")
	regionSkew = regionMetric("penstock_region_clock_skew_seconds",
		"How far the region's clock is ahead of the plane's. Nothing depends on it.")
	regionSources = regionMetric("penstock_region_sources",
		"Sources that vouch for objects of the region.")
	regionOldestSource = regionMetric("penstock_region_oldest_source_age_seconds",
		"Time since the source was heard that was heard longest ago.")
)

var regionMetrics = []*prometheus.Desc{
	regionSyncAge, regionApplied, regionLag, regionEpoch, regionObjects,
	regionHeld, regionMissing, regionSkew, regionSources, regionOldestSource,
}

func regionMetric(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, append([]string{"region"}, labels...), nil)
}

// Describe implements prometheus.Collector.
func (c *regionCollector) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range regionMetrics {
		out <- desc
	}
}

// Collect implements prometheus.Collector. With the database away there are no
// such numbers, rather than wrong ones.
func (c *regionCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	statuses, err := c.statuses(ctx)
	if err != nil {
		return
	}
	for _, s := range statuses {
		collectRegion(out, viewRegion(s, time.Now()))
	}
}

func collectRegion(out chan<- prometheus.Metric, v regionView) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, append([]string{v.Name}, labels...)...)
	}
	gauge(regionApplied, float64(v.AppliedSeq))
	gauge(regionLag, float64(v.Lag))
	gauge(regionEpoch, float64(v.Epoch))
	gauge(regionMissing, float64(v.Missing))
	gauge(regionSources, float64(len(v.Sources)))
	for kind, n := range v.Objects {
		gauge(regionObjects, float64(n), string(kind))
	}
	for reason, n := range v.Held {
		gauge(regionHeld, float64(n), string(reason))
	}
	if v.SyncAge != nil {
		gauge(regionSyncAge, *v.SyncAge)
	}
	if v.Skew != nil {
		gauge(regionSkew, *v.Skew)
	}
	if len(v.Sources) > 0 {
		gauge(regionOldestSource, v.Sources[0].Age)
	}
}
