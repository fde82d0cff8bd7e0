package rows

import (
	"slices"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/regiondb"
)

// Hosts implements cloud.RegionReader.
func (r RegionReader) Hosts() ([]cloud.HostUse, error) {
	rows, err := r.q.ListHosts(r.ctx)
	if err != nil {
		return nil, err
	}
	gpus, err := r.q.ListGPUs(r.ctx)
	if err != nil {
		return nil, err
	}
	hosts := make([]cloud.HostUse, len(rows))
	at := make(map[string]*cloud.HostUse, len(rows))
	for i, row := range rows {
		hosts[i] = cloud.HostUse{
			Host:       cloud.Host{Name: row.Name, CPU: int(row.Cpu), Memory: cloud.Bytes(row.Memory)},
			CPUUsed:    int(row.CpuUsed),
			MemoryUsed: cloud.Bytes(row.MemoryUsed),
		}
		at[row.Name] = &hosts[i]
	}
	for _, gpu := range gpus {
		host := at[gpu.Host]
		if gpu.Offered {
			host.GPUs = append(host.GPUs, cloud.GPU{Model: gpu.Model, Address: gpu.Address})
		}
		if gpu.MachineID != "" {
			host.GPUsUsed = append(host.GPUsUsed, gpu.Address)
		}
	}
	return hosts, nil
}

// SetHosts implements cloud.RegionWriter.
func (w RegionWriter) SetHosts(hosts []cloud.Host) error {
	if err := w.q.WithdrawHosts(w.ctx); err != nil {
		return err
	}
	if err := w.q.WithdrawGPUs(w.ctx); err != nil {
		return err
	}
	for _, h := range hosts {
		if err := w.offer(h); err != nil {
			return err
		}
	}
	if err := w.q.ForgetGPUs(w.ctx); err != nil {
		return err
	}
	return w.q.ForgetHosts(w.ctx)
}

// offer makes a host one of the region's.
func (w RegionWriter) offer(h cloud.Host) error {
	if err := w.q.OfferHost(w.ctx, regiondb.OfferHostParams{Name: h.Name, Cpu: int64(h.CPU), Memory: int64(h.Memory)}); err != nil {
		return err
	}
	for _, gpu := range h.GPUs {
		if err := w.q.OfferGPU(w.ctx, regiondb.OfferGPUParams{Host: h.Name, Address: gpu.Address, Model: gpu.Model}); err != nil {
			return err
		}
	}
	return nil
}

// forget removes what a host does not offer any more, or the host itself, once
// nothing of it is taken.
func (w RegionWriter) forget(host string) error {
	if err := w.q.ForgetGPUsOf(w.ctx, host); err != nil {
		return err
	}
	return w.q.ForgetHost(w.ctx, host)
}

// holding is what a machine keeps others from having of a host. Its address is
// one too, which the table of machines sees to.
type holding struct {
	room
	gpus []string // addresses
	ip   string
}

// room is a share of a host.
type room struct {
	host   string
	cpu    int
	memory cloud.Bytes
}

func holdingOf(m cloud.Machine) holding {
	h := holding{ip: m.IP}
	if m.Placed {
		h.room = room{m.Host, m.Type.CPU, m.Type.Memory}
		h.gpus = m.GPUs
	}
	return h
}

func (h holding) equal(other holding) bool {
	return h.room == other.room && h.ip == other.ip && slices.Equal(h.gpus, other.gpus)
}

// lacks lists which of the other's GPUs are none of these.
func (h holding) lacks(other holding) (addresses []string) {
	for _, address := range other.gpus {
		if h.host != other.host || !slices.Contains(h.gpus, address) {
			addresses = append(addresses, address)
		}
	}
	return addresses
}

// exchange gives back what a machine had, and takes what it has now. What stays
// the same is not touched, so that a host that has shrunk keeps what it runs.
func (w RegionWriter) exchange(machine cloud.ID, had, has holding) error {
	for _, address := range has.lacks(had) {
		if err := w.q.GiveGPU(w.ctx, regiondb.GiveGPUParams{Host: had.host, Address: address, MachineID: string(machine)}); err != nil {
			return err
		}
	}
	if had.room != has.room {
		if err := w.move(had.room, has.room); err != nil {
			return err
		}
	}
	for _, address := range had.lacks(has) {
		n, err := w.q.TakeGPU(w.ctx, regiondb.TakeGPUParams{MachineID: string(machine), Host: has.host, Address: address})
		if err := changed(n, err, cloud.Conflict("the host %s has no free GPU at %s", has.host, address)); err != nil {
			return err
		}
	}
	if had.host == "" {
		return nil
	}
	return w.forget(had.host)
}

// move gives back one share and takes another. The zero room is no share.
func (w RegionWriter) move(from, to room) error {
	if from != (room{}) {
		if err := w.q.GiveRoom(w.ctx, regiondb.GiveRoomParams{
			Cpu: int64(from.cpu), Memory: int64(from.memory), Name: from.host,
		}); err != nil {
			return err
		}
	}
	if to == (room{}) {
		return nil
	}
	n, err := w.q.TakeRoom(w.ctx, regiondb.TakeRoomParams{
		Cpu: int64(to.cpu), Memory: int64(to.memory), Name: to.host,
	})
	return changed(n, err, cloud.Conflict("the host %s has not enough room left", to.host))
}
