package serving

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// ParseProxies reads addresses and CIDR prefixes, as --behind-proxy takes them.
// The error is CodeInvalid.
func ParseProxies(list []string) ([]netip.Prefix, error) {
	prefixes := make([]netip.Prefix, 0, len(list))
	for _, s := range list {
		if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
			a = a.Unmap()
			prefixes = append(prefixes, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(s)
		if err != nil || p.Addr().Is4In6() {
			return nil, cloud.Invalid("--behind-proxy must be addresses or CIDR prefixes such as 10.0.0.7 or 10.0.0.0/8; got %q", s)
		}
		prefixes = append(prefixes, p.Masked())
	}
	return prefixes, nil
}

// ClientAddress is where a request comes from, without the port. The header
// X-Forwarded-For is believed as far as trusted proxies vouch for it: from the
// right, up to the first address that is not one of theirs. What stands to the
// left of that is the client's own claim.
func ClientAddress(r *http.Request, trusted []netip.Prefix) string {
	peer, ok := parseHop(r.RemoteAddr)
	if !ok {
		return r.RemoteAddr // not TCP, as in tests
	}
	if len(trusted) == 0 {
		return peer.String()
	}
	hops := strings.Join(r.Header["X-Forwarded-For"], ",")
	for isTrusted(peer, trusted) && hops != "" {
		comma := strings.LastIndexByte(hops, ',')
		next, ok := parseHop(strings.TrimSpace(hops[comma+1:]))
		if !ok {
			break // the last that made sense is all we know
		}
		peer, hops = next, hops[:max(comma, 0)]
	}
	return peer.String()
}

// parseHop reads an address with or without a port.
func parseHop(s string) (netip.Addr, bool) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	return a.Unmap().WithZone(""), err == nil
}

func isTrusted(a netip.Addr, trusted []netip.Prefix) bool {
	return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(a) })
}
