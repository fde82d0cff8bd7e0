package region

import (
	"encoding/binary"
	"net/netip"
	"sync"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// addresses gives out those of a range. The database is what keeps two machines
// from having the same; this spares it being asked for all of them each time.
type addresses struct {
	within netip.Prefix

	mu   sync.Mutex
	used map[netip.Addr]bool
	next netip.Addr // below which none is free
}

// reserved is how many addresses at the beginning of the range are nobody's:
// the network's own, and its gateway's.
const reserved = 2

// newAddresses checks the range: IPv4, private, from a /29 up to a /8.
func newAddresses(within netip.Prefix) (*addresses, error) {
	within = within.Masked()
	if !within.Addr().Is4() || !within.Addr().IsPrivate() || !lastOf(within).IsPrivate() || within.Bits() > 29 {
		return nil, cloud.Invalid("addresses: the range must be IPv4, private, and a /8 to a /29, as 10.64.0.0/16; got %s", within)
	}
	return &addresses{within: within, used: map[netip.Addr]bool{}, next: first(within)}, nil
}

// lastOf is the last address of an IPv4 range.
func lastOf(within netip.Prefix) netip.Addr {
	last := binary.BigEndian.Uint32(within.Addr().AsSlice()) | uint32(1<<(32-within.Bits())-1)
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, last)))
}

func first(within netip.Prefix) netip.Addr {
	addr := within.Addr()
	for range reserved {
		addr = addr.Next()
	}
	return addr
}

// take returns the lowest address that is free, if one is.
func (a *addresses) take() (free netip.Addr, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	// The last of the range is its broadcast address.
	for addr := a.next; a.within.Contains(addr.Next()); addr = addr.Next() {
		if !a.used[addr] {
			a.used[addr], a.next = true, addr.Next()
			return addr, true
		}
	}
	return netip.Addr{}, false
}

func (a *addresses) mark(text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if addr, err := netip.ParseAddr(text); err == nil {
		a.used[addr] = true
	}
}

func (a *addresses) free(text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	addr, err := netip.ParseAddr(text)
	if err != nil || !a.used[addr] {
		return
	}
	delete(a.used, addr)
	if addr.Less(a.next) && a.within.Contains(addr) {
		a.next = addr
	}
}
