package main

import (
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
	"github.com/penstock-cloud/penstock/internal/engine/libvirt"
	"github.com/penstock-cloud/penstock/internal/engine/simulated"
)

// engines lists what can run a region's machines, each by the name that --engine
// calls it.
var engines = map[string]func(engineConfig) (engine.Engine, func() error, error){
	"simulated": openSimulated,
	"libvirt":   openLibvirt,
}

// engineConfig is what an engine is made from.
type engineConfig struct {
	region string
	folder string // where it may keep things
	file   siteFile
	log    *slog.Logger
}

func engineNames() string { return strings.Join(slices.Sorted(maps.Keys(engines)), ", ") }

// openEngine returns an engine, and what closes it.
func openEngine(name string, c engineConfig) (engine.Engine, func() error, error) {
	open := engines[name]
	if open == nil {
		return nil, nil, fmt.Errorf("--engine must be one of %s; got %q", engineNames(), name)
	}
	e, closing, err := open(c)
	if err != nil {
		return nil, nil, fmt.Errorf("--engine %s: %w", name, err)
	}
	return e, closing, nil
}

func openSimulated(c engineConfig) (engine.Engine, func() error, error) {
	s := c.file.Simulated
	if s == nil {
		return nil, nil, cloud.Invalid("the configuration has no section simulated")
	}
	world, err := simulated.Open(simulated.Config{
		Hosts: s.hosts(), Images: s.Images,
		Delays: simulated.Delays{
			Prepare: s.Delays.Prepare.span(), Start: s.Delays.Start.span(), Stop: s.Delays.Stop.span(), Delete: s.Delays.Delete.span(),
		},
		Faults: simulated.Faults{
			Prepare: s.Faults.Prepare, Start: s.Faults.Start, Stop: s.Faults.Stop, Delete: s.Faults.Delete,
			Hang: s.Faults.Hang, HangFor: s.Faults.HangFor.span(), Deaf: s.Faults.Deaf,
			CrashEvery: time.Duration(s.Faults.CrashEvery), SilenceEvery: time.Duration(s.Faults.SilenceEvery),
			SilenceFor: s.Faults.SilenceFor.span(),
		},
		Seed: s.Seed, File: filepath.Join(c.folder, "simulated-hosts"), Now: time.Now, After: time.After,
	})
	if err != nil {
		return nil, nil, err
	}
	return simulated.New(world, nil), world.Close, nil
}

func (s simulatedEntry) hosts() []cloud.Host {
	hosts := make([]cloud.Host, len(s.Hosts))
	for i, h := range s.Hosts {
		hosts[i] = cloud.Host{Name: h.Name, CPU: h.CPU, Memory: cloud.Bytes(h.Memory)}
		for n := range h.GPUCount {
			hosts[i].GPUs = append(hosts[i].GPUs, cloud.GPU{Model: h.GPUModel, Address: fmt.Sprintf("0000:%02x:00.0", n)})
		}
	}
	return hosts
}

func openLibvirt(c engineConfig) (engine.Engine, func() error, error) {
	l := c.file.Libvirt
	if l == nil {
		return nil, nil, cloud.Invalid("the configuration has no section libvirt")
	}
	e, err := libvirt.New(libvirt.Config{
		Region: c.region, Socket: l.Socket, Folder: l.Folder, Filesystems: l.Filesystems, Images: l.Images,
		DiskSize: cloud.Bytes(l.DiskSize),
		Host:     cloud.Host{Name: l.Host.Name, CPU: l.Host.CPU, Memory: cloud.Bytes(l.Host.Memory), GPUs: l.Host.GPUs},
		Network: libvirt.Network{
			Prefix: c.file.Addresses, Gateway: c.file.Addresses.Addr().Next(), Nameservers: l.Nameservers, Routed: l.Routed,
		},
		Emulate: l.Emulate, Log: c.log,
	})
	return e, func() error { return nil }, err
}
