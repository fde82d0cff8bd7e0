package libvirt

import (
	"encoding/xml"
	"fmt"
	"strconv"
	"strings"

	"libvirt.org/go/libvirtxml"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// domainPrefix is what the names of domains begin with; the machine's id
// follows.
const domainPrefix = "penstock-"

// metadataNamespace is that of the element that says whose a domain is.
const metadataNamespace = "urn:penstock:machine:1"

// mark is that element. libvirtd gives it back without its namespace.
type mark struct {
	XMLName xml.Name
	Region  string   `xml:"region,attr"`
	Host    string   `xml:"host,attr"`
	Project cloud.ID `xml:"project,attr"`
	IP      string   `xml:"ip,attr"`
}

// virtualization is how a host runs machines.
type virtualization struct {
	domain  string // libvirt's type of domain
	cpuMode string // libvirt's mode of a processor
}

// The ways, best first. A processor as QEMU has them at most is what both can
// give on any host; one that is passed through is refused by some.
var (
	hardware  = virtualization{domain: "kvm", cpuMode: "maximum"}
	emulation = virtualization{domain: "qemu", cpuMode: "maximum"}
)

// describe writes a machine as libvirtd is to define it.
func (c Config) describe(m engine.Machine, i image, v virtualization) (string, error) {
	address, err := c.Network.address(m.IP)
	if err != nil {
		return "", err
	}
	marked, err := xml.Marshal(mark{XMLName: xml.Name{Space: metadataNamespace, Local: "machine"}, Region: c.Region, Host: c.Host.Name, Project: m.ProjectID, IP: m.IP})
	if err != nil {
		return "", err
	}
	gpus, err := passThrough(m.GPUs)
	if err != nil {
		return "", err
	}
	d := libvirtxml.Domain{
		Type:     v.domain,
		Name:     domainPrefix + string(m.ID),
		UUID:     string(m.ID),
		Metadata: &libvirtxml.DomainMetadata{XML: string(marked)},
		Memory:   &libvirtxml.DomainMemory{Value: kibibytes(m.Type.Memory), Unit: "KiB"},
		VCPU:     &libvirtxml.DomainVCPU{Value: uint(max(m.Type.CPU, 1))},
		OS:       boot(i),
		Features: &libvirtxml.DomainFeatureList{ACPI: &libvirtxml.DomainFeature{}, APIC: &libvirtxml.DomainFeatureAPIC{}},
		CPU:      &libvirtxml.DomainCPU{Mode: v.cpuMode, Check: "none"},
		Clock:    &libvirtxml.DomainClock{Offset: "utc"},
		// What panics has failed, and is not started again behind the region's back.
		OnPoweroff: "destroy", OnReboot: "restart", OnCrash: "destroy",
		Devices: &libvirtxml.DomainDeviceList{
			Disks: []libvirtxml.DomainDisk{
				disk("vda", "qcow2", c.diskPath(m.ID)),
				readOnly(disk("vdb", "raw", c.seedPath(m.ID))),
			},
			Interfaces:  []libvirtxml.DomainInterface{attach(m.ProjectID, m.ID, address).describe()},
			Filesystems: c.shares(m.Filesystems),
			Hostdevs:    gpus,
			// A terminal that is lost when nobody reads it: what a machine
			// writes to it must not fill the host's disk.
			Serials: []libvirtxml.DomainSerial{{Source: &libvirtxml.DomainChardevSource{Pty: &libvirtxml.DomainChardevSourcePty{}}}},
			RNGs: []libvirtxml.DomainRNG{{
				Model:   "virtio",
				Backend: &libvirtxml.DomainRNGBackend{Random: &libvirtxml.DomainRNGBackendRandom{Device: "/dev/urandom"}},
			}},
			Controllers: []libvirtxml.DomainController{{Type: "usb", Model: "none"}},
			MemBalloon:  &libvirtxml.DomainMemBalloon{Model: "none"}, // GPUs need all memory to stay where it is
			Panics:      []libvirtxml.DomainPanic{{Model: "isa"}},
		},
	}
	if len(m.Filesystems) > 0 {
		d.MemoryBacking = &libvirtxml.DomainMemoryBacking{ // which virtiofsd reads and writes
			MemorySource: &libvirtxml.DomainMemorySource{Type: "memfd"},
			MemoryAccess: &libvirtxml.DomainMemoryAccess{Mode: "shared"},
		}
	}
	return d.Marshal()
}

func kibibytes(b cloud.Bytes) uint { return uint((max(b, 1) + 1023) / 1024) }

func boot(i image) *libvirtxml.DomainOS {
	os := &libvirtxml.DomainOS{Type: &libvirtxml.DomainOSType{Arch: "x86_64", Machine: "q35", Type: "hvm"}}
	if i.disk != "" {
		os.BootDevices = []libvirtxml.DomainBootDevice{{Dev: "hd"}}
		return os
	}
	os.Kernel, os.Initrd, os.Cmdline = i.kernel, i.initrd, i.cmdline
	return os
}

func disk(name, format, path string) libvirtxml.DomainDisk {
	return libvirtxml.DomainDisk{
		Device: "disk",
		Driver: &libvirtxml.DomainDiskDriver{Name: "qemu", Type: format},
		Source: &libvirtxml.DomainDiskSource{File: &libvirtxml.DomainDiskSourceFile{File: path}},
		Target: &libvirtxml.DomainDiskTarget{Dev: name, Bus: "virtio"},
	}
}

// readOnly is how a seed is given: as a disk, since the kernels of cloud images
// often do without drives for discs.
func readOnly(d libvirtxml.DomainDisk) libvirtxml.DomainDisk {
	d.ReadOnly = &libvirtxml.DomainDiskReadOnly{}
	return d
}

func (a attachment) describe() libvirtxml.DomainInterface {
	return libvirtxml.DomainInterface{
		MAC:    &libvirtxml.DomainInterfaceMAC{Address: a.hardware},
		Source: &libvirtxml.DomainInterfaceSource{Bridge: &libvirtxml.DomainInterfaceSourceBridge{Bridge: a.bridge}},
		Target: &libvirtxml.DomainInterfaceTarget{Dev: a.device},
		Model:  &libvirtxml.DomainInterfaceModel{Type: "virtio"},
	}
}

// passThrough gives GPUs away, by the addresses of their PCI functions. libvirtd
// takes them from the host's driver and gives them back.
func passThrough(addresses []string) ([]libvirtxml.DomainHostdev, error) {
	var devices []libvirtxml.DomainHostdev
	for _, address := range addresses {
		function, err := parsePCI(address)
		if err != nil {
			return nil, err
		}
		devices = append(devices, libvirtxml.DomainHostdev{
			Managed: "yes",
			SubsysPCI: &libvirtxml.DomainHostdevSubsysPCI{
				Driver: &libvirtxml.DomainHostdevSubsysPCIDriver{Name: "vfio"},
				Source: &libvirtxml.DomainHostdevSubsysPCISource{Address: function},
			},
		})
	}
	return devices, nil
}

func parsePCI(address string) (*libvirtxml.DomainAddressPCI, error) {
	parts := pciAddress.FindStringSubmatch(address)
	if parts == nil {
		return nil, fmt.Errorf("%q is not the address of a PCI function, as 0000:65:00.0", address)
	}
	var numbers [4]*uint
	for i, part := range parts[1:] {
		n, err := strconv.ParseUint(part, 16, 16)
		if err != nil {
			return nil, err
		}
		number := uint(n)
		numbers[i] = &number
	}
	return &libvirtxml.DomainAddressPCI{Domain: numbers[0], Bus: numbers[1], Slot: numbers[2], Function: numbers[3]}, nil
}

// machineID is the machine that a domain's name speaks of, if it is one of ours.
func machineID(name string) (cloud.ID, bool) {
	rest, ok := strings.CutPrefix(name, domainPrefix)
	if !ok {
		return "", false
	}
	id, err := cloud.ParseID(rest)
	return id, err == nil
}
