package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// linkCollector tells, when it is scraped, how the regions' links stand.
type linkCollector struct {
	links   func(context.Context) ([]cloud.Link, error)
	age     *prometheus.Desc
	applied *prometheus.Desc
}

// scrapeTimeout bounds the one read that a scrape costs.
const scrapeTimeout = 5 * time.Second

func newLinkCollector(links interface {
	Links(context.Context) ([]cloud.Link, error)
},
) *linkCollector {
	return &linkCollector{
		links: links.Links,
		age: prometheus.NewDesc("penstock_region_sync_age_seconds",
			"Time since the plane accepted a region's last sync.", []string{"region"}, nil),
		applied: prometheus.NewDesc("penstock_region_applied_seq",
			"The last seq of the region that the plane applied.", []string{"region"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *linkCollector) Describe(out chan<- *prometheus.Desc) {
	out <- c.age
	out <- c.applied
}

// Collect implements prometheus.Collector. With the database away there are no
// such numbers, rather than wrong ones.
func (c *linkCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	links, err := c.links(ctx)
	if err != nil {
		return
	}
	for _, l := range links {
		out <- prometheus.MustNewConstMetric(c.applied, prometheus.GaugeValue, float64(l.AppliedSeq), l.Region)
		if !l.SyncedAt.IsZero() {
			out <- prometheus.MustNewConstMetric(c.age, prometheus.GaugeValue, time.Since(l.SyncedAt).Seconds(), l.Region)
		}
	}
}
