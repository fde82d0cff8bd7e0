package showcase

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// machine is an instance, in few bytes since there may be a million: its
// report is made from this when it is needed. Its slot, and with it its
// address, is its index in the fleet.
type machine struct {
	condition
	id     uuid.UUID
	job    *job // nil: the slot is free
	host   int32
	serial uint32 // in its name, unique in the fleet
	place  int32  // in the pool that it is in, if any
}

// condition is what changes about a machine.
type condition struct {
	state cloud.InstanceState
	fault string // why it is in error, or what is wrong though it runs
	hangs bool   // its state, though a passing one, will last
}

func (c condition) inTrouble() bool {
	return c.fault != "" || c.hangs || c.state == cloud.InstanceError || c.state == cloud.InstanceOutOfStock
}

func (m *machine) instance(slot int) engine.Instance {
	return engine.Instance{
		ID: cloud.ID(m.id.String()),
		InstanceReport: cloud.InstanceReport{
			OrganizationID: m.job.organizationID,
			ProjectID:      m.job.projectID,
			Name:           fmt.Sprintf("%s-%d", m.job.name, m.serial),
			Type:           m.job.hardware,
			State:          m.state,
			IP:             address(slot).String(),
			Image:          m.job.image,
			Preemptible:    m.job.preemptible,
			Ephemeral:      m.job.ephemeral,
			Tags:           m.job.tags,
			Source:         hostName(m.host),
			Fault:          m.fault,
		},
	}
}

func (m *machine) key() cloud.ObjectKey {
	return cloud.ObjectKey{Kind: cloud.KindInstance, ID: cloud.ID(m.id.String())}
}

// recognize reads an object that the region knew as the machine that it was,
// or reports that no machine of this simulation looks like that.
func (s *simulation) recognize(o cloud.Object) (slot int, m machine, ok bool) {
	r, err := cloud.ParseInstanceReport(o.Body)
	if err != nil {
		return 0, machine{}, false
	}
	if m.id, err = uuid.Parse(string(o.ID)); err != nil {
		return 0, machine{}, false
	}
	name, number, _ := strings.Cut(r.Name, "-")
	serial, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return 0, machine{}, false
	}
	m.serial = uint32(serial)
	for _, j := range s.jobs {
		if j.projectID == r.ProjectID && j.name == name {
			m.job = j
		}
	}
	if i := slices.Index(cloud.InstanceStates, r.State); i >= 0 {
		m.state = cloud.InstanceStates[i]
	}
	m.fault = shared(r.Fault, faults, failures)
	m.host = hostNumber(r.Source)
	slot = slotOf(r.IP)
	if m.job == nil || slot < 0 || slot >= len(s.machines) || m.host < 0 || int(m.host) >= len(s.hosts) {
		return 0, machine{}, false
	}
	return slot, m, reflect.DeepEqual(m.instance(slot).InstanceReport, r)
}

// perSubnet is how many slots have their addresses in one /24.
const perSubnet = 254

// noSlot is no machine's.
const noSlot = -1

// address gives every slot an address of its own within 10.0.0.0/8.
func address(slot int) netip.Addr {
	subnet := slot / perSubnet
	return netip.AddrFrom4([4]byte{10, byte(subnet >> 8), byte(subnet), byte(slot%perSubnet + 1)}) //nolint:gosec // MaxFleet keeps subnet within 16 bits
}

// slotOf is the inverse of address; noSlot if there is none.
func slotOf(ip string) int {
	addr, err := netip.ParseAddr(ip)
	if err != nil || !addr.Is4() {
		return noSlot
	}
	b := addr.As4()
	slot := (int(b[1])<<8|int(b[2]))*perSubnet + int(b[3]) - 1
	if address(max(slot, 0)) != addr {
		return noSlot
	}
	return slot
}

// newID makes a UUID of version 7 (RFC 9562) from the simulation's clock and
// chance.
func (s *simulation) newID(now time.Time) uuid.UUID {
	var id uuid.UUID
	binary.BigEndian.PutUint64(id[:8], uint64(now.UnixMilli())<<16|7<<12|s.rand.Uint64N(1<<12)) // the time is after 1970
	binary.BigEndian.PutUint64(id[8:], 1<<63|s.rand.Uint64N(1<<62))
	return id
}

// pool is a set of slots from which one can be drawn at once, however many
// there are.
type pool []int32

func (p *pool) add(machines []machine, slot int) {
	machines[slot].place = int32(len(*p)) //nolint:gosec // bounded by MaxFleet
	*p = append(*p, int32(slot))          //nolint:gosec // bounded by MaxFleet
}

func (p *pool) remove(machines []machine, slot int) {
	place, last := machines[slot].place, len(*p)-1
	(*p)[place] = (*p)[last]
	machines[(*p)[place]].place = place
	*p = (*p)[:last]
}
