package serving

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func TestParseProxies(t *testing.T) {
	t.Parallel()
	got, err := ParseProxies([]string{"10.0.0.7", "10.1.2.3/8", "::1", "2001:db8::/32", "::ffff:192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	var want []netip.Prefix
	for _, p := range []string{"10.0.0.7/32", "10.0.0.0/8", "::1/128", "2001:db8::/32", "192.0.2.1/32"} {
		want = append(want, netip.MustParsePrefix(p))
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{"", "proxy.example.com", "10.0.0.0/33", "10.0.0.0-10.0.0.9", "10.0.0.7:80", "*", "fe80::1%eth0", "::ffff:10.0.0.0/104"} {
		if _, err := ParseProxies([]string{"10.0.0.7", bad}); cloud.CodeOf(err) != cloud.CodeInvalid {
			t.Errorf("%q: got %v; want %s", bad, err, cloud.CodeInvalid)
		}
	}
}

func TestClientAddress(t *testing.T) {
	t.Parallel()
	proxies := []string{"10.0.0.0/8", "fe80::/10"}
	for name, c := range map[string]struct {
		peer    string
		header  []string
		trusted []string
		want    string
	}{
		"no proxy":                         {"203.0.113.5:999", nil, nil, "203.0.113.5"},
		"no proxy, but a header":           {"203.0.113.5:999", []string{"1.1.1.1"}, nil, "203.0.113.5"},
		"a stranger's header":              {"203.0.113.5:999", []string{"1.1.1.1"}, proxies, "203.0.113.5"},
		"a proxy's header":                 {"10.0.0.7:999", []string{"203.0.113.5"}, proxies, "203.0.113.5"},
		"a proxy without a header":         {"10.0.0.7:999", nil, proxies, "10.0.0.7"},
		"a proxy with an empty header":     {"10.0.0.7:999", []string{""}, proxies, "10.0.0.7"},
		"what the client claims":           {"10.0.0.7:999", []string{"1.1.1.1, 203.0.113.5"}, proxies, "203.0.113.5"},
		"a claim to be a proxy":            {"10.0.0.7:999", []string{"1.1.1.1, 10.9.9.9, 203.0.113.5"}, proxies, "203.0.113.5"},
		"two proxies":                      {"10.0.0.7:999", []string{"1.1.1.1, 203.0.113.5, 10.0.0.8"}, proxies, "203.0.113.5"},
		"two proxies, two headers":         {"10.0.0.7:999", []string{"1.1.1.1, 203.0.113.5", "10.0.0.8"}, proxies, "203.0.113.5"},
		"proxies all the way":              {"10.0.0.7:999", []string{"10.0.0.9,10.0.0.8"}, proxies, "10.0.0.9"},
		"a client with a port":             {"10.0.0.7:999", []string{"203.0.113.5:1234"}, proxies, "203.0.113.5"},
		"an IPv6 client":                   {"10.0.0.7:999", []string{"2001:db8::1"}, proxies, "2001:db8::1"},
		"an IPv6 client in brackets":       {"10.0.0.7:999", []string{"[2001:db8::1]"}, proxies, "2001:db8::1"},
		"an IPv6 client with a port":       {"10.0.0.7:999", []string{"[2001:db8::1]:1234"}, proxies, "2001:db8::1"},
		"an IPv4 proxy on an IPv6 socket":  {"[::ffff:10.0.0.7]:999", []string{"203.0.113.5"}, proxies, "203.0.113.5"},
		"an IPv4 client in IPv6's writing": {"10.0.0.7:999", []string{"1.1.1.1, ::ffff:203.0.113.5"}, proxies, "203.0.113.5"},
		"a link-local proxy":               {"[fe80::1%eth0]:999", []string{"203.0.113.5"}, proxies, "203.0.113.5"},
		"garbage from a proxy":             {"10.0.0.7:999", []string{"203.0.113.5, unknown"}, proxies, "10.0.0.7"},
		"garbage from a client":            {"10.0.0.7:999", []string{"<script>, 203.0.113.5"}, proxies, "203.0.113.5"},
		"only commas":                      {"10.0.0.7:999", []string{",,,"}, proxies, "10.0.0.7"},
		"not TCP":                          {"@", []string{"1.1.1.1"}, proxies, "@"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			trusted, err := ParseProxies(c.trusted)
			if err != nil {
				t.Fatal(err)
			}
			r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": c.header}}
			if got := ClientAddress(r, trusted); got != c.want {
				t.Errorf("got %s; want %s", got, c.want)
			}
		})
	}
}
