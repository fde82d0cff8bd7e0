package libvirt

import (
	"log/slog"
	"net/netip"
	"path/filepath"
	"regexp"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// DefaultSocket is where a system's libvirtd listens.
const DefaultSocket = "/run/libvirt/libvirt-sock"

// Config says what an engine runs machines on. It does not change.
type Config struct {
	Region string // whose machines they are
	Socket string // of libvirtd; "" for DefaultSocket
	// Folder is the absolute path of where disks, seeds and filesystems lie. It
	// is made if it is not there, and belongs to one region.
	Folder string
	// Filesystems is the absolute path of the folder of filesystems; "" for
	// "filesystems" in Folder. There are filesystems where it is a folder of
	// root's alone on btrfs, and the commands for them are installed.
	Filesystems string
	// Images is the absolute path of the folder of images: NAME.qcow2 to boot
	// from, or NAME with the files kernel, initrd and, if wanted, cmdline. An
	// image is never changed, since disks are layers over it: a new one gets a
	// new name.
	Images string
	// DiskSize is that of a machine's disk, where its image's is not larger; 0
	// for the image's, or DefaultDiskSize where that has none.
	DiskSize cloud.Bytes
	Host     cloud.Host // this one, and what of it is to give
	Network  Network
	Emulate  bool // never use KVM, without looking whether it works
	Log      *slog.Logger
}

// DefaultDiskSize is that of a disk whose image has none.
const DefaultDiskSize cloud.Bytes = 10 << 30

// Network is where machines are reached. All projects have parts of the one
// prefix, each on a bridge of its own, and its gateway on each.
type Network struct {
	Prefix      netip.Prefix // IPv4
	Gateway     netip.Addr   // in Prefix, and no machine's
	Nameservers []netip.Addr // that machines are told of
	// Routed has the host forward between projects and what lies beyond the
	// host. It never forwards between projects. Without it, machines talk to
	// their own project's, and to who reaches them from the host.
	Routed bool
}

var (
	hostName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
	pciAddress = regexp.MustCompile(`^([0-9a-f]{4}):([0-9a-f]{2}):([01][0-9a-f])\.([0-7])$`)
)

func (c Config) check() error {
	switch {
	case !hostName.MatchString(c.Region):
		return cloud.Invalid("the name of a region is 1 to 63 letters, digits, '-', '_' or '.'; got %q", c.Region)
	case !hostName.MatchString(c.Host.Name):
		return cloud.Invalid("the name of a host is 1 to 63 letters, digits, '-', '_' or '.'; got %q", c.Host.Name)
	case c.Host.CPU < 1 || c.Host.Memory < 1:
		return cloud.Invalid("the host %s needs processors and memory that it may give", c.Host.Name)
	case !filepath.IsAbs(c.Folder) || !filepath.IsAbs(c.Images) || !filepath.IsAbs(c.Socket):
		return cloud.Invalid("the folders of machines and images, and libvirtd's socket, are absolute paths; got %q, %q and %q",
			c.Folder, c.Images, c.Socket)
	case c.Filesystems != "" && !filepath.IsAbs(c.Filesystems):
		return cloud.Invalid("the folder of filesystems is an absolute path; got %q", c.Filesystems)
	case c.DiskSize < 0:
		return cloud.Invalid("the size of disks must not be negative")
	}
	seen := make(map[string]bool)
	for _, gpu := range c.Host.GPUs {
		if !pciAddress.MatchString(gpu.Address) || seen[gpu.Address] {
			return cloud.Invalid("the address of a GPU is that of one PCI function, as 0000:65:00.0, given once; got %q", gpu.Address)
		}
		seen[gpu.Address] = true
	}
	return c.Network.check()
}

func (n Network) check() error {
	switch {
	case !n.Prefix.IsValid() || !n.Prefix.Addr().Is4() || n.Prefix != n.Prefix.Masked():
		return cloud.Invalid("the network of a region is an IPv4 prefix such as 10.64.0.0/16; got %s", n.Prefix)
	case !n.Prefix.Contains(n.Gateway):
		return cloud.Invalid("the gateway of a region's network must be in %s; got %s", n.Prefix, n.Gateway)
	}
	for _, server := range n.Nameservers {
		if !server.IsValid() {
			return cloud.Invalid("a nameserver of a region's network is no address")
		}
	}
	return nil
}

// address is a machine's.
func (n Network) address(ip string) (netip.Addr, error) {
	address, err := netip.ParseAddr(ip)
	if err != nil || !n.Prefix.Contains(address) || address == n.Gateway {
		return netip.Addr{}, cloud.Invalid("the address %q is none for a machine in %s", ip, n.Prefix)
	}
	return address, nil
}
