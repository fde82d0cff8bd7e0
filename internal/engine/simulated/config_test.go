package simulated_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine/simulated"
)

func TestWrongConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	span := func(from, to time.Duration) simulated.Span { return simulated.Span{From: from, To: to} }
	host := func(change func(*cloud.Host)) func(*simulated.Config) {
		return func(c *simulated.Config) {
			c.Hosts = slices.Clone(c.Hosts)
			change(&c.Hosts[1])
		}
	}
	for _, tt := range []struct {
		field  string
		change func(*simulated.Config)
	}{
		{"hosts", func(c *simulated.Config) { c.Hosts = nil }},
		{"hosts", func(c *simulated.Config) { c.Hosts = make([]cloud.Host, simulated.MaxHosts+1) }},
		{"hosts[1].name", host(func(h *cloud.Host) { h.Name = "" })},
		{"hosts[1].name", host(func(h *cloud.Host) { h.Name = "rack\n7" })},
		{"hosts[1].name", host(func(h *cloud.Host) { h.Name = strings.Repeat("r", 254) })},
		{"hosts[1].name", host(func(h *cloud.Host) { h.Name = cloud.SourceRegion })},
		{"hosts[1].name", host(func(h *cloud.Host) { h.Name = "rack-8" })},
		{"hosts[1].cpu", host(func(h *cloud.Host) { h.CPU = 0 })},
		{"hosts[1].memory", host(func(h *cloud.Host) { h.Memory = 0 })},
		{"hosts[1].memory", host(func(h *cloud.Host) { h.Memory = cloud.MaxBytes + 1 })},
		{"hosts[1].gpus[0].model", host(func(h *cloud.Host) { h.GPUs = []cloud.GPU{{Address: "a"}} })},
		{"hosts[1].gpus[0].address", host(func(h *cloud.Host) { h.GPUs = []cloud.GPU{{Model: "H100"}} })},
		{"hosts[1].gpus[1].address", host(func(h *cloud.Host) {
			h.GPUs = []cloud.GPU{{Model: "H100", Address: "a"}, {Model: "A100", Address: "a"}}
		})},
		{"images", func(c *simulated.Config) { c.Images = nil }},
		{"images", func(c *simulated.Config) { c.Images = make([]string, simulated.MaxImages+1) }},
		{"images[0]", func(c *simulated.Config) { c.Images = []string{"image://ubuntu"} }},
		{"images[0]", func(c *simulated.Config) { c.Images = []string{strings.Repeat("u", simulated.MaxImageName+1)} }},
		{"images[1]", func(c *simulated.Config) { c.Images = []string{"a", ""} }},
		{"images[1]", func(c *simulated.Config) { c.Images = []string{"a", "a"} }},
		{"delays.prepare", func(c *simulated.Config) { c.Delays.Prepare = span(-1, 0) }},
		{"delays.start", func(c *simulated.Config) { c.Delays.Start = span(2, 1) }},
		{"delays.stop", func(c *simulated.Config) { c.Delays.Stop = span(0, simulated.MaxDelay+1) }},
		{"delays.delete", func(c *simulated.Config) { c.Delays.Delete = span(2, 1) }},
		{"faults.prepare", func(c *simulated.Config) { c.Faults.Prepare = -0.1 }},
		{"faults.start", func(c *simulated.Config) { c.Faults.Start = 1.1 }},
		{"faults.stop", func(c *simulated.Config) { c.Faults.Stop = math.NaN() }},
		{"faults.delete", func(c *simulated.Config) { c.Faults.Delete = math.Inf(1) }},
		{"faults.hang", func(c *simulated.Config) { c.Faults.Hang = 2 }},
		{"faults.hangFor", func(c *simulated.Config) { c.Faults.HangFor = span(2, 1) }},
		{"faults.deaf", func(c *simulated.Config) { c.Faults.Deaf = 2 }},
		{"faults.crashEvery", func(c *simulated.Config) { c.Faults.CrashEvery = -time.Second }},
		{"faults.crashEvery", func(c *simulated.Config) { c.Faults.CrashEvery = time.Millisecond }},
		{"faults.crashEvery", func(c *simulated.Config) { c.Faults.CrashEvery = math.MaxInt64 }},
		{"faults.silenceEvery", func(c *simulated.Config) { c.Faults.SilenceEvery = time.Millisecond }},
		{"faults.silenceFor", func(c *simulated.Config) { c.Faults.SilenceFor = span(-1, 1) }},
		{"faults.silenceFor", func(c *simulated.Config) { c.Faults.SilenceEvery = time.Minute }},
	} {
		w, err := simulated.Open(config(tt.change))
		if cloud.CodeOf(err) != cloud.CodeInvalid {
			t.Errorf("%s: got %v, want an error of code %s", tt.field, err, cloud.CodeInvalid)
			continue
		}
		if message := err.Error(); !strings.HasPrefix(message, tt.field+" ") && !strings.HasPrefix(message, tt.field+": ") {
			t.Errorf("the message %q does not name %s", message, tt.field)
		}
		if w != nil {
			t.Errorf("%s: there is a World of a wrong configuration", tt.field)
		}
	}
}
