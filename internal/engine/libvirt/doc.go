// Package libvirt is the engine that runs machines on the libvirtd of the host
// that it runs on itself, as domains of QEMU.
//
// It owns what is on that host for a region's machines: their domains, disks
// and seeds, a bridge per project and the rules that keep projects apart, and
// the folders of filesystems. What should run it is told, and what of it does
// it tells; it decides neither. Everything can be found again from the ids of
// machine and project, so that it keeps no state but what is on the host.
//
// A machine is a domain whose UUID is its id. Its metadata name the region and
// the host, and domains that lack these are another's and left alone. Its disk
// is a copy-on-write layer over its image, and its seed is a read-only disk
// as cloud-init's NoCloud expects it.
//
// A filesystem is a subvolume of btrfs with a quota, named by its id, which
// virtiofsd gives to machines. Where btrfs is not there, there are none.
//
// GPUs are given whole, by VFIO, from their PCI addresses. No hardware was at
// hand to test this with: the golden testdata/gpu.xml shows what libvirtd is
// asked for. The host must have its IOMMU on, and nothing else on the host may
// need the devices.
//
// The commands qemu-img, qemu-system-x86_64 and nft have to be installed, for
// filesystems btrfs and virtiofsd too, and the engine has to run as root, for
// the bridges.
package libvirt
