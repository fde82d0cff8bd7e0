package region

import (
	"slices"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// placement is where a machine goes, or who has to make room for it first.
type placement struct {
	host    string // "" for nowhere now
	gpus    []string
	victims []cloud.Machine // to be stopped
	waits   bool            // room is being made already
}

// place decides where a machine goes. One that was on a host before goes there:
// its disk is there. preemptible lists whom it may displace, newest first, and
// leaving those who give back their room already; both are of no use to a
// machine that is itself preemptible.
func place(m cloud.Machine, hosts []cloud.HostUse, preemptible, leaving []cloud.Machine) placement {
	if m.Host != "" {
		hosts = only(m.Host, hosts)
	}
	if there := fit(m, hosts); there.host != "" || m.Preemptible {
		return there
	}
	room := slices.Clone(hosts)
	for _, l := range leaving {
		vacate(room, l)
	}
	if _, ok := fullest(m.Type, room); ok {
		return placement{waits: true}
	}
	for i, p := range preemptible {
		vacate(room, p)
		if h, ok := fullest(m.Type, room); ok {
			on := func(v cloud.Machine) bool { return v.Host != h.Name }
			return placement{victims: slices.DeleteFunc(slices.Clone(preemptible[:i+1]), on)}
		}
	}
	return placement{}
}

// fit places a machine where there is room already; nowhere if there is none.
func fit(m cloud.Machine, hosts []cloud.HostUse) placement {
	if m.Host != "" {
		hosts = only(m.Host, hosts)
	}
	h, ok := fullest(m.Type, hosts)
	if !ok {
		return placement{}
	}
	return placement{host: h.Name, gpus: h.FreeGPUs(m.Type.GPUModel)[:m.Type.GPUCount]}
}

// only is the one host of that name, or none.
func only(name string, hosts []cloud.HostUse) []cloud.HostUse {
	h := named(name, hosts)
	if h == nil {
		return nil
	}
	return []cloud.HostUse{*h}
}

// fullest finds the host with the least room among those with enough, so that
// large machines find empty ones; where several are alike, the first.
func fullest(t cloud.InstanceType, hosts []cloud.HostUse) (best cloud.HostUse, ok bool) {
	for _, h := range hosts {
		if h.Fits(t) == 0 {
			continue
		}
		if !ok || spare(h) < spare(best) {
			best, ok = h, true
		}
	}
	return best, ok
}

// spare weighs what a host has left: its GPUs, and what share of its memory.
func spare(h cloud.HostUse) float64 {
	return float64(len(h.GPUs)-len(h.GPUsUsed)) + float64(h.Memory-h.MemoryUsed)/float64(max(h.Memory, 1))
}

// vacate takes a machine off its host.
func vacate(hosts []cloud.HostUse, m cloud.Machine) {
	h := named(m.Host, hosts)
	if h == nil {
		return
	}
	h.CPUUsed -= m.Type.CPU
	h.MemoryUsed -= m.Type.Memory
	h.GPUsUsed = slices.DeleteFunc(slices.Clone(h.GPUsUsed), func(a string) bool { return slices.Contains(m.GPUs, a) })
}

// seat has a machine take what it has of its host.
func seat(hosts []cloud.HostUse, m cloud.Machine) {
	h := named(m.Host, hosts)
	if h == nil {
		return
	}
	h.CPUUsed += m.Type.CPU
	h.MemoryUsed += m.Type.Memory
	h.GPUsUsed = append(slices.Clip(h.GPUsUsed), m.GPUs...)
}

// named finds a host; nil if there is none of that name.
func named(name string, hosts []cloud.HostUse) *cloud.HostUse {
	i := slices.IndexFunc(hosts, func(h cloud.HostUse) bool { return h.Name == name })
	if i < 0 {
		return nil
	}
	return &hosts[i]
}

// occupy puts a machine of a type on the first host that it fits on, or the one
// given.
func occupy(hosts []cloud.HostUse, t cloud.InstanceType, only string) bool {
	for i := range hosts {
		h := &hosts[i]
		if only != "" && only != h.Name || h.Fits(t) == 0 {
			continue
		}
		h.CPUUsed += t.CPU
		h.MemoryUsed += t.Memory
		h.GPUsUsed = append(slices.Clip(h.GPUsUsed), h.FreeGPUs(t.GPUModel)[:t.GPUCount]...)
		return true
	}
	return false
}
