package libvirt

import (
	"context"
	"path/filepath"

	"libvirt.org/go/libvirtxml"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func (c Config) filesystemPath(id cloud.ID) string {
	return filepath.Join(c.Folder, "filesystems", string(id))
}

// shares gives folders to a machine by virtio-fs. The tag by which it mounts
// one is the filesystem's id: mount -t virtiofs ID /mnt.
func (c Config) shares(ids []cloud.ID) []libvirtxml.DomainFilesystem {
	var shares []libvirtxml.DomainFilesystem
	for _, id := range ids {
		shares = append(shares, libvirtxml.DomainFilesystem{
			AccessMode: "passthrough",
			Driver:     &libvirtxml.DomainFilesystemDriver{Type: "virtiofs"},
			Source:     &libvirtxml.DomainFilesystemSource{Mount: &libvirtxml.DomainFilesystemSourceMount{Dir: c.filesystemPath(id)}},
			Target:     &libvirtxml.DomainFilesystemTarget{Dir: string(id)},
		})
	}
	return shares
}

// CreateFilesystem implements engine.Engine.
func (e *Engine) CreateFilesystem(context.Context, cloud.Filesystem) error { return errNoFilesystems }

// DeleteFilesystem implements engine.Engine.
func (e *Engine) DeleteFilesystem(context.Context, cloud.Filesystem) error { return errNoFilesystems }

var errNoFilesystems = cloud.Unimplemented("this region has no filesystems")
