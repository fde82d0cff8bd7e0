package libvirt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// What the names of bridges and of machines' interfaces begin with. No other
// interface of the host may have such a name.
const (
	bridgePrefix = "pkb"
	guestPrefix  = "pkg"
)

// networks keeps the bridges of projects and the rules between them.
type networks struct {
	config Network
	region string
	// bridges is held for reading by who is about to use one, and for writing by
	// who removes those that nobody uses.
	bridges sync.RWMutex
}

// attachment is a machine on its project's bridge.
type attachment struct {
	project  cloud.ID
	bridge   string
	device   string // the host's end of the machine's interface
	address  netip.Addr
	hardware string
}

func attach(project, machine cloud.ID, address netip.Addr) attachment {
	return attachment{
		project: project, bridge: deviceName(bridgePrefix, project), device: deviceName(guestPrefix, machine),
		address: address, hardware: hardwareAddress(address),
	}
}

// deviceName makes the name of an interface, which may have 15 bytes, of an id,
// which has more: 60 bits of its hash are in it.
func deviceName(prefix string, id cloud.ID) string {
	sum := sha256.Sum256([]byte(id))
	return prefix + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:12])
}

// hardwareAddress is that of the machine with an address: as unique as that is,
// and locally administered.
func hardwareAddress(address netip.Addr) string {
	ip := address.As4()
	return net.HardwareAddr{0x52, 0x50, ip[0], ip[1], ip[2], ip[3]}.String()
}

// ensure has everything there before a machine is started: the bridge, the
// rules, and the host's way to the machine. It may all be there already.
func (n *networks) ensure(ctx context.Context, a attachment) error {
	// The rules first: there is no moment at which a bridge does without.
	if err := n.rules(ctx, a); err != nil {
		return err
	}
	bridge, err := n.ensureBridge(a)
	if err != nil {
		return fmt.Errorf("the bridge %s of project %s: %w", a.bridge, a.project, err)
	}
	return netlink.RouteReplace(n.route(bridge, a.address))
}

func (n *networks) ensureBridge(a attachment) (netlink.Link, error) {
	bridge, err := netlink.LinkByName(a.bridge)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		attributes := netlink.NewLinkAttrs()
		attributes.Name = a.bridge
		if err := netlink.LinkAdd(&netlink.Bridge{LinkAttrs: attributes}); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, err
		}
		bridge, err = netlink.LinkByName(a.bridge)
	}
	if err != nil {
		return nil, err
	}
	if alias := bridge.Attrs().Alias; alias == "" {
		err = netlink.LinkSetAlias(bridge, n.alias(a.project))
	} else if alias != n.alias(a.project) {
		return nil, fmt.Errorf("there is an interface of that name for %q; remove it if nobody needs it", alias)
	}
	if err != nil {
		return nil, err
	}
	// Before the bridge is up: nothing of the host is reachable by IPv6, and
	// what comes from a machine that has another's address is dropped.
	for setting, value := range map[string]string{
		"ipv6/conf/%s/disable_ipv6": "1", "ipv4/conf/%s/rp_filter": "1", "ipv4/conf/%s/forwarding": n.forwarding(),
	} {
		if err := setSystem(fmt.Sprintf(setting, a.bridge), value); err != nil {
			return nil, err
		}
	}
	gateway := &netlink.Addr{IPNet: hostNet(n.config.Gateway), Scope: int(netlink.SCOPE_UNIVERSE)}
	if err := netlink.AddrReplace(bridge, gateway); err != nil {
		return nil, err
	}
	return bridge, netlink.LinkSetUp(bridge)
}

// alias says whose a bridge is, to people and to sweep.
func (n *networks) alias(project cloud.ID) string { return n.aliasPrefix() + string(project) }
func (n *networks) aliasPrefix() string           { return "penstock " + n.region + " " }

func (n *networks) forwarding() string {
	if n.config.Routed {
		return "1"
	}
	return "0"
}

// setSystem writes a setting of the network, if the host has it: one without
// IPv6 has nothing to turn off.
func setSystem(setting, value string) error {
	path := filepath.Join("/proc/sys/net", setting)
	err := os.WriteFile(path, []byte(value), 0o600)
	if errors.Is(err, os.ErrNotExist) && strings.HasPrefix(setting, "ipv6/") {
		return nil
	}
	return err
}

func hostNet(address netip.Addr) *net.IPNet {
	return &net.IPNet{IP: address.AsSlice(), Mask: net.CIDRMask(32, 32)}
}

func (n *networks) route(bridge netlink.Link, address netip.Addr) *netlink.Route {
	return &netlink.Route{
		LinkIndex: bridge.Attrs().Index, Scope: netlink.SCOPE_LINK,
		Dst: hostNet(address), Src: n.config.Gateway.AsSlice(),
	}
}

// release takes away what ensure made for one machine, and the bridges of this
// region that no machine is on any more.
func (n *networks) release(ctx context.Context, a attachment) error {
	if err := firewall(ctx, removal(a)); err != nil {
		return err
	}
	bridge, err := netlink.LinkByName(a.bridge)
	if errors.As(err, new(netlink.LinkNotFoundError)) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := netlink.RouteDel(n.route(bridge, a.address)); err != nil && !noSuchRoute(err) {
		return err
	}
	return n.sweep()
}

// sweep removes the bridges of this region that no machine is on. It leaves
// that to a later one if a machine is just being started.
func (n *networks) sweep() error {
	if !n.bridges.TryLock() {
		return nil
	}
	defer n.bridges.Unlock()
	links, err := netlink.LinkList()
	if err != nil {
		return err
	}
	used := make(map[int]bool)
	for _, link := range links {
		used[link.Attrs().MasterIndex] = true
	}
	for _, link := range links {
		attributes := link.Attrs()
		if strings.HasPrefix(attributes.Alias, n.aliasPrefix()) && !used[attributes.Index] {
			if err := netlink.LinkDel(link); err != nil {
				return err
			}
		}
	}
	return nil
}

// standingRules hold for all regions on a host, and are written anew whenever
// one needs them: a firewall that was loaded again has dropped them. Whoever
// else has rules keeps them, since a packet has to pass all tables.
//
// In inet, the host answers machines nothing but a ping and what it began
// itself, and forwards neither between bridges nor, unless a bridge is routed,
// elsewhere. What stays on one bridge passes here too where bridges are told to
// call for it. In bridge, a machine sends as itself or not at all; and as IPv6
// has no addresses here, nothing of it passes.
const standingRules = `
add table inet penstock
add set inet penstock same { type ifname . ifname; }
add set inet penstock routed { type ifname; }
add chain inet penstock input { type filter hook input priority filter; policy accept; }
flush chain inet penstock input
add rule inet penstock input iifname != "BRIDGES*" accept
add rule inet penstock input ct state established,related accept
add rule inet penstock input icmp type echo-request accept
add rule inet penstock input drop
add chain inet penstock forward { type filter hook forward priority filter; policy accept; }
flush chain inet penstock forward
add rule inet penstock forward iifname . oifname @same accept
add rule inet penstock forward iifname "BRIDGES*" oifname "BRIDGES*" drop
add rule inet penstock forward iifname "BRIDGES*" iifname != @routed drop
add rule inet penstock forward oifname "BRIDGES*" oifname != @routed drop
add table bridge penstock
add set bridge penstock guests { type ifname . ether_addr . ipv4_addr; }
add chain bridge penstock prerouting { type filter hook prerouting priority filter; policy accept; }
flush chain bridge penstock prerouting
add rule bridge penstock prerouting iifname != "GUESTS*" accept
add rule bridge penstock prerouting ether type arp iifname . ether saddr . arp saddr ip @guests iifname . arp saddr ether . arp saddr ip @guests accept
add rule bridge penstock prerouting ether type ip iifname . ether saddr . ip saddr @guests accept
add rule bridge penstock prerouting drop
`

func (n *networks) rules(ctx context.Context, a attachment) error {
	script := strings.NewReplacer("BRIDGES", bridgePrefix, "GUESTS", guestPrefix).Replace(standingRules)
	script += fmt.Sprintf("add element inet penstock same { %[1]q . %[1]q }\nadd element inet penstock routed { %[1]q }\n", a.bridge)
	if !n.config.Routed {
		script += fmt.Sprintf("delete element inet penstock routed { %q }\n", a.bridge)
	}
	return firewall(ctx, script+"add element bridge penstock guests { "+a.element()+" }\n")
}

// removal also works where there is nothing to remove.
func removal(a attachment) string {
	return "add table bridge penstock\n" +
		"add set bridge penstock guests { type ifname . ether_addr . ipv4_addr; }\n" +
		"add element bridge penstock guests { " + a.element() + " }\n" +
		"delete element bridge penstock guests { " + a.element() + " }\n"
}

func (a attachment) element() string {
	return fmt.Sprintf("%q . %s . %s", a.device, a.hardware, a.address)
}

// firewallTool is how long nft may take.
const firewallTool = 30 * time.Second

// firewall applies a script for nft: all of it or nothing.
func firewall(ctx context.Context, script string) error {
	ctx, cancel := context.WithTimeout(ctx, firewallTool)
	defer cancel()
	command := exec.CommandContext(ctx, "nft", "-f", "-")
	command.Stdin = strings.NewReader(script)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

func noSuchRoute(err error) bool { return errors.Is(err, unix.ESRCH) }
