package simulated

import (
	"slices"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// Machine is what a host has of a machine, whole or half made.
type Machine struct {
	ID        cloud.ID    `json:"id"`
	ProjectID cloud.ID    `json:"projectID"`
	Host      string      `json:"host"`
	CPU       int         `json:"cpu"`
	Memory    cloud.Bytes `json:"memory"`
	GPUs      []string    `json:"gpus,omitempty"` // addresses of those that it has while it is on
	IP        string      `json:"ip"`

	Disk    bool         `json:"disk,omitempty"`
	Seed    bool         `json:"seed,omitempty"`
	Network bool         `json:"network,omitempty"` // it has its address
	Defined bool         `json:"defined,omitempty"` // it can be turned on, and is seen
	Power   engine.Power `json:"power,omitempty"`   // on, off or failed; "" while it is not defined
	Reason  string       `json:"reason,omitempty"`  // why it failed
}

// nothing reports whether no trace of it is left.
func (m Machine) nothing() bool { return !m.Disk && !m.Seed && !m.Network && !m.Defined }

// on reports whether it runs, and so has its share of the host.
func (m Machine) on() bool { return m.Power == engine.PowerOn }

// seen is what it looks like from outside.
func (m Machine) seen() engine.Sighting {
	if !m.Defined {
		return engine.Sighting{ID: m.ID, Host: m.Host, Power: engine.PowerGone}
	}
	return engine.Sighting{ID: m.ID, Host: m.Host, Power: m.Power, Reason: m.Reason}
}

// same reports whether there is no difference to the other one.
func (m Machine) same(o Machine) bool {
	return m.ID == o.ID && m.ProjectID == o.ProjectID && m.Host == o.Host &&
		m.CPU == o.CPU && m.Memory == o.Memory && slices.Equal(m.GPUs, o.GPUs) && m.IP == o.IP &&
		m.Disk == o.Disk && m.Seed == o.Seed && m.Network == o.Network && m.Defined == o.Defined &&
		m.Power == o.Power && m.Reason == o.Reason
}

// turn changes its power, where it is defined.
func (m *Machine) turn(power engine.Power, reason string) { m.Power, m.Reason = power, reason }

// undefine takes it out of sight, and off.
func (m *Machine) undefine() {
	m.Defined = false
	m.turn("", "")
}
