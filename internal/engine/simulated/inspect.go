package simulated

import (
	"cmp"
	"maps"
	"slices"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// Place is where something of a machine is.
type Place struct {
	Host string
	ID   cloud.ID // of the machine
}

// Machines lists what can be turned on or is, on every host, reached or not, by
// id and then host. One that is listed twice is there twice.
func (w *World) Machines() (defined []Machine) {
	for _, m := range w.traces() {
		if m.Defined {
			defined = append(defined, m)
		}
	}
	return defined
}

// Disks lists where there is a disk or a seed, of a machine or left behind, by
// id and then host.
func (w *World) Disks() (disks []Place) {
	for _, m := range w.traces() {
		if m.Disk || m.Seed {
			disks = append(disks, Place{m.Host, m.ID})
		}
	}
	return disks
}

// Addresses tells which machine has which address. No two have the same.
func (w *World) Addresses() map[string]cloud.ID {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.addresses)
}

// Filesystems lists them by id, with their project and size.
func (w *World) Filesystems() []cloud.Filesystem {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.SortedFunc(maps.Values(w.filesystems), func(a, b cloud.Filesystem) int { return cmp.Compare(a.ID, b.ID) })
}

// traces lists all that hosts have.
func (w *World) traces() (all []Machine) {
	_ = w.do(func() error { // which never fails
		for _, h := range w.hosts {
			for _, g := range h.guests {
				g.GPUs = slices.Clone(g.GPUs)
				all = append(all, g.Machine)
			}
		}
		return nil
	})
	slices.SortFunc(all, func(a, b Machine) int { return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Host, b.Host)) })
	return all
}

// Kill ends a machine that is on, as killing its process does. CodeNotFound
// where there is none, CodeConflict if it is off.
func (w *World) Kill(id cloud.ID) error {
	return w.meddle(id, func(m *Machine) error {
		if !m.on() {
			return cloud.Conflict("machine %s is not on", id)
		}
		m.turn(engine.PowerFailed, reasonKilled)
		return nil
	})
}

// PowerOffInside turns a machine off as its user does. CodeNotFound where there
// is none, CodeConflict if it is off.
func (w *World) PowerOffInside(id cloud.ID) error {
	return w.meddle(id, func(m *Machine) error {
		if !m.on() {
			return cloud.Conflict("machine %s is not on", id)
		}
		m.turn(engine.PowerOff, "")
		return nil
	})
}

// TurnOn turns a machine on that nobody ordered to be. CodeNotFound where there
// is none; another error if the host has no room.
func (w *World) TurnOn(id cloud.ID) error {
	return w.meddle(id, func(m *Machine) error {
		m.turn(engine.PowerOn, "")
		return nil
	})
}

// Vanish makes a host forget a machine, on or off: its disk, seed and address
// stay behind. CodeNotFound where there is none.
func (w *World) Vanish(id cloud.ID) error {
	return w.meddle(id, func(m *Machine) error {
		m.undefine()
		return nil
	})
}

// meddle changes a machine behind the region's back, whether its host answers
// or not.
func (w *World) meddle(id cloud.ID, fn func(*Machine) error) error {
	return w.do(func() error {
		for _, h := range w.hosts {
			m := h.machine(id)
			if !m.Defined {
				continue
			}
			if err := fn(&m); err != nil {
				return err
			}
			return w.change(h, m)
		}
		return cloud.NotFound("no host has a machine %s", id)
	})
}

// Silence makes a host fall silent until Hear. CodeNotFound where there is none.
func (w *World) Silence(name string) error { return w.shut(name, w.silence) }

// Hear makes a silent host answer again. CodeNotFound where there is none.
func (w *World) Hear(name string) error { return w.shut(name, w.hear) }

func (w *World) shut(name string, fn func(*host)) error {
	return w.do(func() error {
		h, found := w.hosts[name]
		if !found || !h.configured {
			return cloud.NotFound("there is no host %s", name)
		}
		fn(h)
		return nil
	})
}
