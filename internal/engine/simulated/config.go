package simulated

import (
	"strings"
	"time"
	"unicode"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// Bounds of Config.
const (
	MaxHosts     = 10_000
	MaxImages    = 100
	MaxImageName = 63        // bytes
	MaxDelay     = time.Hour // of one order
	MinMean      = time.Second
	MaxMean      = 365 * 24 * time.Hour
)

// Config says what hosts there are and how they behave.
type Config struct {
	Hosts  []cloud.Host // 1 to MaxHosts
	Images []string     // names of what is offered as image://NAME; 1 to MaxImages
	// NoFilesystems makes it an engine that cannot create or delete any.
	NoFilesystems bool

	Delays Delays
	Faults Faults
	Seed   uint64 // of chance
	// File keeps the World while no process runs; "" keeps it in memory. One
	// process has it at a time.
	File string

	Now   func() time.Time
	After func(time.Duration) <-chan time.Time // as time.After
}

// Delays is how long orders take that have anything to do.
type Delays struct {
	Prepare, Start, Delete Span
	Stop                   Span // at most the grace that the order gives
}

// Span is a range from which chance takes a duration: From up to To, of which
// neither is over MaxDelay. The zero Span is no time at all.
type Span struct{ From, To time.Duration }

// Faults is what goes wrong by chance. The zero Faults are none.
type Faults struct {
	// How likely it is, from 0 to 1, that an order fails after some of its
	// effects.
	Prepare, Start, Stop, Delete float64
	// Hang is how likely, from 0 to 1, an order hangs before its first effect:
	// for HangFor or, where that is zero, until its context ends. Until then
	// other orders for the machine wait, all but Stop.
	Hang    float64
	HangFor Span
	// Deaf is how likely, from 0 to 1, a machine that is asked to turn itself
	// off does not, and goes on until its grace has passed.
	Deaf float64

	// Mean times, from MinMean to MaxMean; 0 for never.
	CrashEvery   time.Duration // that a machine runs until it crashes
	SilenceEvery time.Duration // between two silences of a host
	SilenceFor   Span          // how long one lasts
}

// check says what is wrong with the configuration. CodeInvalid, naming the
// field.
func (c Config) check() error {
	if err := checkHosts(c.Hosts); err != nil {
		return err
	}
	if err := checkImages(c.Images); err != nil {
		return err
	}
	if err := c.Delays.check(); err != nil {
		return err
	}
	return c.Faults.check()
}

func checkHosts(hosts []cloud.Host) error {
	if len(hosts) == 0 || len(hosts) > MaxHosts {
		return cloud.Invalid("hosts: a simulated region has 1 to %d; got %d", MaxHosts, len(hosts))
	}
	names := make(map[string]bool, len(hosts))
	for i, h := range hosts {
		switch {
		case h.Name == "" || len(h.Name) > engine.MaxSourceName || strings.ContainsFunc(h.Name, func(r rune) bool { return !unicode.IsGraphic(r) }):
			return cloud.Invalid("hosts[%d].name must be printable, of 1 to %d bytes", i, engine.MaxSourceName)
		case h.Name == cloud.SourceRegion:
			return cloud.Invalid("hosts[%d].name must not be %s, which stands for the region itself", i, h.Name)
		case names[h.Name]:
			return cloud.Invalid("hosts[%d].name: there is another host %s", i, h.Name)
		case h.CPU < 1:
			return cloud.Invalid("hosts[%d].cpu must be at least 1; got %d", i, h.CPU)
		case h.Memory < 1 || h.Memory > cloud.MaxBytes:
			return cloud.Invalid("hosts[%d].memory must be 1 byte to %s; got %d", i, cloud.MaxBytes, h.Memory)
		}
		names[h.Name] = true
		if err := checkGPUs(i, h.GPUs); err != nil {
			return err
		}
	}
	return nil
}

func checkGPUs(host int, gpus []cloud.GPU) error {
	addresses := make(map[string]bool, len(gpus))
	for i, gpu := range gpus {
		switch {
		case gpu.Model == "":
			return cloud.Invalid("hosts[%d].gpus[%d].model is missing", host, i)
		case gpu.Address == "":
			return cloud.Invalid("hosts[%d].gpus[%d].address is missing", host, i)
		case addresses[gpu.Address]:
			return cloud.Invalid("hosts[%d].gpus[%d].address: there is another one at %s", host, i, gpu.Address)
		}
		addresses[gpu.Address] = true
	}
	return nil
}

func checkImages(names []string) error {
	if len(names) == 0 || len(names) > MaxImages {
		return cloud.Invalid("images: a simulated region has 1 to %d; got %d", MaxImages, len(names))
	}
	seen := make(map[string]bool, len(names))
	for i, name := range names {
		switch {
		case name == "" || len(name) > MaxImageName || strings.ContainsFunc(name, notOfImageName):
			return cloud.Invalid("images[%d] must be 1 to %d letters, digits, '-', '_' or '.', without image://", i, MaxImageName)
		case seen[name]:
			return cloud.Invalid("images[%d]: %s is there twice", i, name)
		}
		seen[name] = true
	}
	return nil
}

func notOfImageName(r rune) bool {
	alphanumeric := '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	return !alphanumeric && !strings.ContainsRune("-_.", r)
}

func (d Delays) check() error {
	return firstOf(
		d.Prepare.check("delays.prepare"),
		d.Start.check("delays.start"),
		d.Stop.check("delays.stop"),
		d.Delete.check("delays.delete"),
	)
}

func (s Span) check(field string) error {
	if s.From < 0 || s.To < s.From || s.To > MaxDelay {
		return cloud.Invalid("%s must go from no less than 0 up to no more than %v; got %v to %v", field, MaxDelay, s.From, s.To)
	}
	return nil
}

func (f Faults) check() error {
	return firstOf(
		checkChance("faults.prepare", f.Prepare),
		checkChance("faults.start", f.Start),
		checkChance("faults.stop", f.Stop),
		checkChance("faults.delete", f.Delete),
		checkChance("faults.hang", f.Hang),
		f.HangFor.check("faults.hangFor"),
		checkChance("faults.deaf", f.Deaf),
		checkMean("faults.crashEvery", f.CrashEvery),
		checkMean("faults.silenceEvery", f.SilenceEvery),
		f.SilenceFor.check("faults.silenceFor"),
		f.checkSilence(),
	)
}

func (f Faults) checkSilence() error {
	if f.SilenceEvery > 0 && f.SilenceFor.To == 0 {
		return cloud.Invalid("faults.silenceFor is missing: say how long a silence lasts")
	}
	return nil
}

func checkChance(field string, p float64) error {
	if !(p >= 0 && p <= 1) { // nor is it NaN
		return cloud.Invalid("%s must be a probability from 0 to 1; got %v", field, p)
	}
	return nil
}

func checkMean(field string, d time.Duration) error {
	if d != 0 && (d < MinMean || d > MaxMean) {
		return cloud.Invalid("%s must be 0 for never, or %v to %v; got %v", field, MinMean, MaxMean, d)
	}
	return nil
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
