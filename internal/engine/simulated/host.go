package simulated

import (
	"fmt"
	"slices"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// host is a host with what is on it. One that is configured no longer keeps
// what it had, and is not reached.
type host struct {
	cloud.Host
	configured bool
	silent     bool
	silences   uint64 // so far, so that the end of one is not taken for that of another

	guests map[cloud.ID]guest
	missed map[cloud.ID]bool // what changed during the silence

	// What the guests that are on have of it.
	cpu    int
	memory cloud.Bytes
	gpus   map[string]cloud.ID // by address
}

// guest is a machine on its host.
type guest struct {
	Machine
	boot uint64 // which of all boots in the World it runs since
}

func newHost(h cloud.Host, configured bool) *host {
	h.GPUs = slices.Clone(h.GPUs)
	return &host{
		Host: h, configured: configured,
		guests: make(map[cloud.ID]guest), missed: make(map[cloud.ID]bool), gpus: make(map[string]cloud.ID),
	}
}

func (h *host) reachable() bool { return h.configured && !h.silent }

// machine is what the host has of a machine, if anything.
func (h *host) machine(id cloud.ID) Machine {
	if g, found := h.guests[id]; found {
		return g.Machine
	}
	return Machine{ID: id, Host: h.Name}
}

// room says what the host lacks to turn the machine on, if anything.
func (h *host) room(m Machine) error {
	if h.cpu+m.CPU > h.CPU {
		return fmt.Errorf("host %s has %d processors left, of %d that machine %s needs", h.Name, h.CPU-h.cpu, m.CPU, m.ID)
	}
	if h.memory+m.Memory > h.Memory {
		return fmt.Errorf("host %s has %s of memory left, of %s that machine %s needs", h.Name, h.Memory-h.memory, m.Memory, m.ID)
	}
	for _, address := range m.GPUs {
		if owner, taken := h.gpus[address]; taken {
			return fmt.Errorf("the GPU %s of host %s, which machine %s needs, is machine %s's", address, h.Name, m.ID, owner)
		}
		if !slices.ContainsFunc(h.GPUs, func(g cloud.GPU) bool { return g.Address == address }) {
			return fmt.Errorf("host %s has no GPU %s, which machine %s needs", h.Name, address, m.ID)
		}
	}
	return nil
}

// take gives a machine that is on its share of the host.
func (h *host) take(m Machine) {
	h.cpu += m.CPU
	h.memory += m.Memory
	for _, address := range m.GPUs {
		h.gpus[address] = m.ID
	}
}

// giveBack is the inverse of take.
func (h *host) giveBack(m Machine) {
	h.cpu -= m.CPU
	h.memory -= m.Memory
	for _, address := range m.GPUs {
		delete(h.gpus, address)
	}
}
