package control_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
	"github.com/penstock-cloud/penstock/internal/store/storetest"
)

// TestStartNotesTheOutage starts a plane again and again: each time but the
// first it notes for how long it was not there, once, whatever the clock did
// meanwhile.
func TestStartNotesTheOutage(t *testing.T) {
	t.Parallel()
	plane, err := sqlite.OpenPlane(t.Context(), filepath.Join(t.TempDir(), "plane.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer plane.Close()
	var now time.Time
	c := control.New(storetest.Twice(plane), func() time.Time { return now }, nil, cloud.DefaultHealthPolicy)
	start := func(url string) func() error { return func() error { return c.Start(t.Context(), url) } }
	alive := func() error { return c.MarkAlive(t.Context()) }
	at := func(clock string) time.Time {
		t.Helper()
		parsed, err := time.Parse(time.TimeOnly, clock)
		if err != nil {
			t.Fatal(err)
		}
		return time.Date(2026, 3, 2, parsed.Hour(), parsed.Minute(), parsed.Second(), 0, time.UTC)
	}
	for _, step := range []struct {
		what string
		now  time.Time
		do   func() error
		want cloud.Outages
	}{
		{"the first start", at("15:30:00"), start("http://a.example.com"), cloud.Outages{}},
		{"a sign of life", at("15:30:05"), alive, cloud.Outages{}},
		{"a restart", at("15:31:05"), start("http://b.example.com"), cloud.Outages{{From: at("15:30:05"), To: at("15:31:05")}}},
		{"a restart with the clock set back", at("14:00:00"), start("http://a.example.com"), cloud.Outages{{From: at("14:00:00"), To: at("14:00:00")}}},
		{"a restart later", at("16:00:00"), start("http://a.example.com"), cloud.Outages{{From: at("14:00:00"), To: at("14:00:00")}, {From: at("14:00:00"), To: at("16:00:00")}}},
		{"a clock that differs by seconds", at("15:59:55"), alive, cloud.Outages{{From: at("14:00:00"), To: at("14:00:00")}, {From: at("14:00:00"), To: at("16:00:00")}}},
		{"a clock that is set back while the plane runs", at("15:00:00"), alive, cloud.Outages{{From: at("14:00:00"), To: at("14:00:00")}, {From: at("15:00:00"), To: at("15:00:00")}}},
		{"a sign of life after that", at("15:00:05"), alive, cloud.Outages{{From: at("14:00:00"), To: at("14:00:00")}, {From: at("15:00:00"), To: at("15:00:00")}}},
	} {
		now = step.now
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		var got cloud.Plane
		if err := plane.Read(t.Context(), func(r cloud.Reader) (err error) {
			got, err = r.Plane()
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if !got.AliveAt.Equal(now) {
			t.Errorf("after %s: alive at %v; want %v", step.what, got.AliveAt, now)
		}
		if diff := cmp.Diff(step.want, got.Outages); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", step.what, diff)
		}
	}
}
