package simulated_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
	"github.com/penstock-cloud/penstock/internal/engine/simulated"
)

// fleet is a World of a hundred hosts with so many machines on.
func fleet(b *testing.B, size int, file string) (*simulated.Engine, []engine.Machine) {
	b.Helper()
	w, err := simulated.Open(config(func(c *simulated.Config) {
		c.Hosts, c.File = nil, file
		for n := range 100 {
			c.Hosts = append(c.Hosts, cloud.Host{Name: fmt.Sprint("rack-", n), CPU: 1024, Memory: 4 << 40})
		}
	}))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = w.Close() })
	e := simulated.New(w, nil)
	machines := make([]engine.Machine, size)
	for i := range machines {
		m := machine()
		m.Host, m.IP = fmt.Sprint("rack-", i%100), fmt.Sprintf("10.30.%d.%d", i/250, i%250)
		if err := firstError(func() error { return e.Prepare(b.Context(), m) }, func() error { return e.Start(b.Context(), m) }); err != nil {
			b.Fatal(err)
		}
		machines[i] = m
	}
	return e, machines
}

func BenchmarkSurveyOf10000(b *testing.B) {
	e, _ := fleet(b, 10_000, "")
	for b.Loop() {
		if s, err := e.Survey(b.Context()); err != nil || len(s.Sightings) != 10_000 {
			b.Fatal(len(s.Sightings), err)
		}
	}
}

// BenchmarkLife is of one machine among 10,000 that is started and stopped.
func BenchmarkLife(b *testing.B) {
	for _, kept := range []string{"in memory", "in a file"} {
		b.Run(kept, func(b *testing.B) {
			file := ""
			if kept == "in a file" {
				file = filepath.Join(b.TempDir(), "world")
			}
			e, machines := fleet(b, 10_000, file)
			next := 0
			for b.Loop() {
				m := machines[next%len(machines)]
				next++
				if err := firstError(func() error { return e.Stop(b.Context(), m, 0) }, func() error { return e.Start(b.Context(), m) }); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
