package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

type statuses struct {
	list []cloud.RegionStatus
	err  error
}

func (s statuses) RegionStatuses(context.Context) ([]cloud.RegionStatus, error) {
	return s.list, s.err
}

// scrape gathers the metrics of regions, each as its name with its labels.
func scrape(t *testing.T, s statuses) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(newRegionCollector(s))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			key := family.GetName()
			for _, label := range m.GetLabel() {
				key += " " + label.GetValue()
			}
			got[key] = m.GetGauge().GetValue()
		}
	}
	return got
}

func TestRegionMetrics(t *testing.T) {
	t.Parallel()
	now := time.Now()
	got := scrape(t, statuses{list: []cloud.RegionStatus{
		{Region: cloud.Region{Name: "new-1"}},
		{
			Region: cloud.Region{Name: "west-1"},
			Link: cloud.Link{
				Region: "west-1", Epoch: 3, AppliedSeq: 40, HeardSeq: 42, SyncedAt: now, Clock: now.Add(90 * time.Second),
				Sources: map[string]time.Time{"engine": now, "host-7": now.Add(-time.Hour)},
			},
			Objects: map[cloud.ObjectKind]int64{cloud.KindInstance: 48},
			Aside: cloud.Aside{
				Held: map[cloud.HeldReason]int64{cloud.HeldForeignID: 5}, Missing: 20, MissingSince: now,
			},
		},
	}})
	for _, age := range []string{"penstock_region_sync_age_seconds west-1", "penstock_region_oldest_source_age_seconds west-1"} {
		if got[age] < 0 || age != "penstock_region_sync_age_seconds west-1" && got[age] < 3600 {
			t.Errorf("%s is %v", age, got[age])
		}
		delete(got, age)
	}
	want := map[string]float64{
		"penstock_region_clock_skew_seconds west-1":                90,
		"penstock_region_held_objects foreign-id west-1":           5,
		"penstock_region_held_objects organization-denied west-1":  0,
		"penstock_region_held_objects unknown-organization west-1": 0,
		"penstock_region_held_objects foreign-id new-1":            0,
		"penstock_region_held_objects organization-denied new-1":   0,
		"penstock_region_held_objects unknown-organization new-1":  0,
		"penstock_region_objects cluster west-1":                   0,
		"penstock_region_objects instance west-1":                  48,
		"penstock_region_objects cluster new-1":                    0,
		"penstock_region_objects instance new-1":                   0,
	}
	for name, of := range map[string][2]float64{"applied_seq": {40, 0}, "lag_changes": {2, 0}, "epoch": {3, 0}, "missing_objects": {20, 0}, "sources": {2, 0}} {
		want["penstock_region_"+name+" west-1"], want["penstock_region_"+name+" new-1"] = of[0], of[1]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the metrics (-want +got):\n%s", diff)
	}
	if got := scrape(t, statuses{err: errors.New("away")}); len(got) > 0 {
		t.Errorf("with the database away there are %v", got)
	}
}

// TestAlerts holds the example of alerts to the metrics that there are.
func TestAlerts(t *testing.T) {
	t.Parallel()
	const file = "../../deploy/alerts.yaml"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, desc := range regionMetrics {
		known = append(known, regexp.MustCompile(`penstock_\w+`).FindString(desc.String()))
	}
	named := regexp.MustCompile(`penstock_\w+`).FindAllString(string(text), -1)
	if len(named) < 5 {
		t.Fatalf("the alerts name %v", named)
	}
	for _, name := range named {
		if !slices.Contains(known, name) {
			t.Errorf("an alert is about %s, which there is not", name)
		}
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool (Debian: prometheus) is not installed; it would check the rules")
	}
	out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", file).CombinedOutput()
	if err != nil || strings.Contains(string(out), "FAILED") {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}
