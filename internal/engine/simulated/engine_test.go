package simulated_test

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
	"github.com/penstock-cloud/penstock/internal/engine/enginetest"
	"github.com/penstock-cloud/penstock/internal/engine/simulated"
)

const (
	project = cloud.ID("0190a1c0-0000-7000-8000-000000000001")
	rack    = "rack-7"
)

var size = cloud.InstanceType{Name: "cpu.4x", CPU: 4, Memory: 16 << 30}

// config is of two hosts that each have room for four machines, and two GPUs.
func config(change ...func(*simulated.Config)) simulated.Config {
	gpus := []cloud.GPU{{Model: "H100", Address: "0000:65:00.0"}, {Model: "H100", Address: "0000:66:00.0"}}
	c := simulated.Config{
		Hosts: []cloud.Host{
			{Name: "rack-8", CPU: 16, Memory: 64 << 30, GPUs: gpus},
			{Name: rack, CPU: 16, Memory: 64 << 30, GPUs: gpus},
		},
		Images: []string{"ubuntu24.04", "debian13", "ubuntu22.04"},
		Seed:   7, Now: time.Now, After: time.After,
	}
	for _, f := range change {
		f(&c)
	}
	return c
}

func slow(c *simulated.Config) {
	c.Delays = simulated.Delays{
		Prepare: simulated.Span{From: 3 * time.Second, To: 8 * time.Second},
		Start:   simulated.Span{From: 2 * time.Second, To: 6 * time.Second},
		Stop:    simulated.Span{From: 2 * time.Second, To: 5 * time.Second},
		Delete:  simulated.Span{From: time.Second, To: time.Second},
	}
}

func open(t *testing.T, c simulated.Config) *simulated.World {
	t.Helper()
	w, err := simulated.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return w
}

var machines atomic.Int32

// machine returns another one each time.
func machine() engine.Machine {
	n := machines.Add(1)
	return engine.Machine{
		ID: cloud.ID(uuid.NewString()), ProjectID: project, Host: rack, IP: fmt.Sprintf("10.20.%d.%d", n/250, n%250+1),
		MachineSpec: cloud.MachineSpec{Name: fmt.Sprint("worker-", n), Type: size, Image: "image://ubuntu22.04"},
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*testing.T, *simulated.Config){
		"at once":             func(*testing.T, *simulated.Config) {},
		"slowly":              func(_ *testing.T, c *simulated.Config) { slow(c) },
		"in a file":           func(t *testing.T, c *simulated.Config) { c.File = filepath.Join(t.TempDir(), "world") },
		"without filesystems": func(_ *testing.T, c *simulated.Config) { c.NoFilesystems = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			enginetest.TestEngine(t, enginetest.Subject{
				Within: synctest.Test,
				Begin: func(t *testing.T) enginetest.Bench {
					return bench(open(t, config(func(c *simulated.Config) { change(t, c) })))
				},
			})
		})
	}
}

func bench(w *simulated.World) enginetest.Bench {
	behind := func(fn func(cloud.ID) error) func(*testing.T, engine.Machine) {
		return func(t *testing.T, m engine.Machine) {
			t.Helper()
			if err := fn(m.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	return enginetest.Bench{
		Open:     func(*testing.T) engine.Engine { return simulated.New(w, nil) },
		Machine:  func(*testing.T) engine.Machine { return machine() },
		Kill:     behind(w.Kill),
		PowerOff: behind(w.PowerOffInside),
		Vanish:   behind(w.Vanish),
		Grace:    time.Minute,
		Patience: time.Minute,
	}
}
