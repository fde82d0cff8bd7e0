package memory

import (
	"cmp"
	"maps"
	"slices"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// countKey is what instances are counted by.
type countKey struct {
	organization cloud.ID
	typeName     string
}

// host is one of the region's, or one that goes when nothing of it is taken.
type host struct {
	cloud.Host
	offered bool
}

func (t regionTransaction) Project(id cloud.ID) (cloud.Project, error) {
	p, ok := t.projects[id]
	if !ok {
		return p, cloud.NotFound("the region has no project of that id")
	}
	return ownProject(p), nil
}

func (t regionTransaction) Projects(organization cloud.ID) ([]cloud.Project, error) {
	list := selected(t.projects, func(p cloud.Project) bool { return p.OrganizationID == organization })
	return ordered(list, func(p cloud.Project) cloud.ID { return p.ID }, ownProject), nil
}

func (t regionTransaction) PutProject(p cloud.Project) error {
	p.CreatedAt = stored(p.CreatedAt)
	t.projects[p.ID] = ownProject(p)
	return nil
}

func (t regionTransaction) DeleteProject(id cloud.ID) error {
	if _, err := t.Project(id); err != nil {
		return err
	}
	machines, filesystems := len(t.machinesOf(id)), len(t.filesystemsOf(id))
	if machines+filesystems > 0 {
		return cloud.Conflict("the project has instances (%d) or filesystems (%d); delete them first", machines, filesystems)
	}
	delete(t.projects, id)
	return nil
}

func (t regionTransaction) Machine(id cloud.ID) (cloud.Machine, error) {
	m, ok := t.machines[id]
	if !ok {
		return m, cloud.NotFound("the region has no instance of that id")
	}
	return ownMachine(m), nil
}

func (t regionTransaction) machinesOf(project cloud.ID) []cloud.Machine {
	return selected(t.machines, func(m cloud.Machine) bool { return m.ProjectID == project })
}

func (t regionTransaction) Machines(project cloud.ID) ([]cloud.Machine, error) {
	return ordered(t.machinesOf(project), machineID, ownMachine), nil
}

func (t regionTransaction) CountMachines(project cloud.ID) (int64, error) {
	return int64(len(t.machinesOf(project))), nil
}

func (t regionTransaction) AllMachines(after cloud.ID, limit int) ([]cloud.Machine, error) {
	list := selected(t.machines, func(m cloud.Machine) bool { return m.ID > after })
	return first(ordered(list, machineID, ownMachine), limit), nil
}

func (t regionTransaction) YieldingMachines() ([]cloud.Machine, error) {
	list := selected(t.machines, func(m cloud.Machine) bool { return m.Yielding() })
	list = ordered(list, machineID, ownMachine)
	slices.Reverse(list)
	slices.SortStableFunc(list, func(a, b cloud.Machine) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return list, nil
}

func (t regionTransaction) Addresses() ([]string, error) {
	list := []string{}
	for _, m := range t.machines {
		if m.IP != "" {
			list = append(list, m.IP)
		}
	}
	slices.Sort(list)
	return list, nil
}

func (t regionTransaction) PutMachine(m cloud.Machine) error {
	before, known := t.machines[m.ID]
	if !known || before.ProjectID != m.ProjectID {
		if _, err := t.Project(m.ProjectID); err != nil {
			return err
		}
	}
	if err := t.checkAddress(m); err != nil {
		return err
	}
	if err := t.checkRoom(before, m); err != nil {
		return err
	}
	m.CreatedAt = stored(m.CreatedAt)
	t.machines[m.ID] = ownMachine(m)
	t.forget()
	return nil
}

func (t regionTransaction) checkAddress(m cloud.Machine) error {
	for _, other := range t.machines {
		if m.IP != "" && other.IP == m.IP && other.ID != m.ID {
			return cloud.Conflict("the address %s is another instance's", m.IP)
		}
	}
	return nil
}

// checkRoom looks at what a machine would hold now and did not before: that may
// be refused, while what it has it keeps.
func (t regionTransaction) checkRoom(before, m cloud.Machine) error {
	if !m.Placed {
		return nil
	}
	stays := before.Placed && before.Host == m.Host
	host := t.use(t.hosts[m.Host].Host, m.ID)
	same := stays && before.Type.CPU == m.Type.CPU && before.Type.Memory == m.Type.Memory
	if !same && (host.CPUUsed+m.Type.CPU > host.CPU || host.MemoryUsed+m.Type.Memory > host.Memory) {
		return cloud.Conflict("the host %s has not enough room left", m.Host)
	}
	for i, address := range m.GPUs {
		if stays && slices.Contains(before.GPUs, address) {
			continue
		}
		offered := slices.ContainsFunc(host.GPUs, func(gpu cloud.GPU) bool { return gpu.Address == address })
		if !offered || slices.Contains(host.GPUsUsed, address) || slices.Contains(m.GPUs[:i], address) {
			return cloud.Conflict("the host %s has no free GPU at %s", m.Host, address)
		}
	}
	return nil
}

// use is what machines but one have of a host.
func (t regionTransaction) use(h cloud.Host, but cloud.ID) cloud.HostUse {
	use := cloud.HostUse{Host: h}
	use.GPUs = slices.Clone(h.GPUs)
	for _, m := range t.machines {
		if m.Placed && m.Host == h.Name && m.ID != but {
			use.CPUUsed += m.Type.CPU
			use.MemoryUsed += m.Type.Memory
			use.GPUsUsed = append(use.GPUsUsed, m.GPUs...)
		}
	}
	slices.Sort(use.GPUsUsed)
	return use
}

func (t regionTransaction) DeleteMachine(id cloud.ID) error {
	if _, err := t.Machine(id); err != nil {
		return err
	}
	delete(t.machines, id)
	t.forget()
	return nil
}

func (t regionTransaction) Filesystem(id cloud.ID) (cloud.Filesystem, error) {
	f, ok := t.filesystems[id]
	if !ok {
		return f, cloud.NotFound("the region has no filesystem of that id")
	}
	return f, nil
}

func (t regionTransaction) filesystemsOf(project cloud.ID) []cloud.Filesystem {
	return selected(t.filesystems, func(f cloud.Filesystem) bool { return f.ProjectID == project })
}

func (t regionTransaction) Filesystems(project cloud.ID) ([]cloud.Filesystem, error) {
	return ordered(t.filesystemsOf(project), filesystemID, itself), nil
}

func (t regionTransaction) AllFilesystems() ([]cloud.Filesystem, error) {
	return ordered(slices.Collect(maps.Values(t.filesystems)), filesystemID, itself), nil
}

func (t regionTransaction) PutFilesystem(f cloud.Filesystem) error {
	if _, err := t.Project(f.ProjectID); err != nil {
		return err
	}
	f.CreatedAt = stored(f.CreatedAt)
	t.filesystems[f.ID] = f
	return nil
}

func (t regionTransaction) DeleteFilesystem(id cloud.ID) error {
	if _, err := t.Filesystem(id); err != nil {
		return err
	}
	delete(t.filesystems, id)
	return nil
}

func (t regionTransaction) Hosts() ([]cloud.HostUse, error) {
	list := make([]cloud.HostUse, 0, len(t.hosts))
	for _, name := range slices.Sorted(maps.Keys(t.hosts)) {
		list = append(list, t.use(t.hosts[name].Host, ""))
	}
	return list, nil
}

func (t regionTransaction) SetHosts(hosts []cloud.Host) error {
	for name := range t.hosts {
		t.hosts[name] = host{Host: cloud.Host{Name: name}}
	}
	for _, h := range hosts {
		h.GPUs = slices.Clone(h.GPUs)
		slices.SortFunc(h.GPUs, func(a, b cloud.GPU) int { return cmp.Compare(a.Address, b.Address) })
		t.hosts[h.Name] = host{h, true}
	}
	t.forget()
	return nil
}

// forget removes the hosts that are not offered any more, and of which nothing
// is taken.
func (t regionTransaction) forget() {
	taken := map[string]bool{}
	for _, m := range t.machines {
		taken[m.Host] = taken[m.Host] || m.Placed
	}
	maps.DeleteFunc(t.hosts, func(name string, h host) bool { return !h.offered && !taken[name] })
}

func (t regionTransaction) CountInstances(organization cloud.ID, typeName string, add, most int64) error {
	key := countKey{organization, typeName}
	n := t.counts[key] + add
	if n < 0 || add > 0 && n > most {
		return cloud.Conflict("the organization would have fewer than 0 or more than %d instances of the type %s", most, typeName)
	}
	t.counts[key] = n
	return nil
}

func (t regionTransaction) Spans(machine cloud.ID) ([]cloud.Span, error) {
	list := selected(t.spans, func(s cloud.Span) bool { return s.MachineID == machine })
	slices.SortFunc(list, func(a, b cloud.Span) int { return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.ID, b.ID)) })
	return list, nil
}

func (t regionTransaction) PutSpan(s cloud.Span) error {
	s.From, s.To = stored(s.From), stored(s.To)
	t.spans[s.ID] = s
	return nil
}

func machineID(m cloud.Machine) cloud.ID       { return m.ID }
func filesystemID(f cloud.Filesystem) cloud.ID { return f.ID }
func itself[V any](v V) V                      { return v }

// ordered sorts a list by id, and makes each of it the caller's own.
func ordered[V any](list []V, id func(V) cloud.ID, own func(V) V) []V {
	slices.SortFunc(list, func(a, b V) int { return cmp.Compare(id(a), id(b)) })
	for i := range list {
		list[i] = own(list[i])
	}
	return list
}

func ownProject(p cloud.Project) cloud.Project {
	p.Tags = maps.Clone(p.Tags)
	return p
}

func ownMachine(m cloud.Machine) cloud.Machine {
	if m.UserData != nil {
		text := *m.UserData
		m.UserData = &text
	}
	m.Filesystems, m.SSHKeys, m.GPUs = slices.Clone(m.Filesystems), slices.Clone(m.SSHKeys), slices.Clone(m.GPUs)
	m.Tags = maps.Clone(m.Tags)
	return m
}
