package libvirt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"libvirt.org/go/libvirtxml"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func (c Config) filesystemFolder() string {
	return cmp.Or(c.Filesystems, filepath.Join(c.Folder, "filesystems"))
}

// filesystemPath is that of a filesystem's subvolume. What is there by this name
// is limited; what is not, yet, has unlimitedPath.
func (c Config) filesystemPath(id cloud.ID) string {
	return filepath.Join(c.filesystemFolder(), string(id))
}

func (c Config) unlimitedPath(id cloud.ID) string { return c.filesystemPath(id) + ".new" }

// btrfsMagic is what statfs calls btrfs.
const btrfsMagic = 0x9123683e

// virtiofsds are where virtiofsd is: libvirtd does not look for it in PATH.
var virtiofsds = []string{"/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd"}

// filesystemsImpossible says why there can be no filesystems here; nil if there
// can.
func (c Config) filesystemsImpossible() error {
	folder := c.filesystemFolder()
	if err := onBtrfs(folder); err != nil {
		return err
	}
	info, err := os.Stat(folder)
	if err != nil {
		return err
	}
	// Tenants make files of any owner and mode, which nobody here shall run.
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is open to others than root: chmod 700 it", folder)
	}
	if _, err := exec.LookPath("btrfs"); err != nil {
		return err
	}
	if !slices.ContainsFunc(virtiofsds, isFile) {
		return fmt.Errorf("virtiofsd is not installed: there is none of %q", virtiofsds)
	}
	return nil
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

// onBtrfs says why a folder is not on btrfs; nil if it is.
func onBtrfs(folder string) error {
	var on syscall.Statfs_t
	if err := syscall.Statfs(folder, &on); err != nil {
		return fmt.Errorf("%s: %w", folder, err)
	}
	if uint32(on.Type) != btrfsMagic { //nolint:gosec // G115: magics have 32 bits
		return fmt.Errorf("%s is not on btrfs, by which filesystems are limited", folder)
	}
	return nil
}

// checkShares refuses a machine whose filesystems cannot be given to it.
func (e *Engine) checkShares(ids []cloud.ID) error {
	for _, id := range ids {
		if err := e.checkFilesystem(id); err != nil {
			return err
		}
		if there, err := isThere(e.config.filesystemPath(id)); err != nil {
			return err
		} else if !there {
			return cloud.Invalid("there is no filesystem %s on the host %s", id, e.config.Host.Name)
		}
	}
	return nil
}

// checkFilesystem refuses what can be none. An id becomes part of a path.
func (e *Engine) checkFilesystem(id cloud.ID) error {
	if e.noFilesystems != nil {
		return errNoFilesystems
	}
	if parsed, err := cloud.ParseID(string(id)); err != nil || parsed != id {
		return cloud.Invalid("%q is not the id of a filesystem", id)
	}
	return e.filesystemsAway()
}

// filesystemsAway refuses while they are not mounted: what cannot be seen is
// neither made elsewhere nor taken as deleted.
func (e *Engine) filesystemsAway() error {
	if err := onBtrfs(e.config.filesystemFolder()); err != nil {
		return cloud.Unavailable(fmt.Errorf("the filesystems of the host %s are away: %w", e.config.Host.Name, err))
	}
	return nil
}

var errNoFilesystems = cloud.Unimplemented("this region has no filesystems")

// CreateFilesystem implements engine.Engine. It makes a subvolume, which gets
// its name when it has its limit, and is on the disk before it is told of.
func (e *Engine) CreateFilesystem(ctx context.Context, f cloud.Filesystem) error {
	if f.Size < 1 {
		return cloud.Invalid("the size of a filesystem is at least 1 byte; got %d", f.Size)
	}
	if err := e.checkFilesystem(f.ID); err != nil {
		return err
	}
	defer e.filesystems.lock(f.ID)()
	// Once is enough, but anybody may turn them off again.
	if _, err := tool(ctx, "btrfs", "quota", "enable", e.config.filesystemFolder()); err != nil {
		return err
	}
	// What older kernels leave of deleted ones goes with the next that is made.
	// It only takes room, so that it does not matter whether it can go yet.
	_, _ = tool(ctx, "btrfs", "qgroup", "clear-stale", e.config.filesystemFolder())
	path := e.config.filesystemPath(f.ID)
	there, err := isThere(path)
	if err != nil {
		return err
	}
	if there {
		err = limit(ctx, path, f.Size)
	} else {
		err = makeLimited(ctx, e.config.unlimitedPath(f.ID), path, f.Size)
	}
	if err != nil {
		return err
	}
	_, err = tool(ctx, "btrfs", "filesystem", "sync", path)
	return err
}

func makeLimited(ctx context.Context, unlimited, path string, size cloud.Bytes) error {
	there, err := isThere(unlimited)
	if err != nil {
		return err
	}
	if !there {
		if _, err := tool(ctx, "btrfs", "subvolume", "create", unlimited); err != nil {
			return err
		}
	}
	if err := limit(ctx, unlimited, size); err != nil {
		return err
	}
	return os.Rename(unlimited, path)
}

func limit(ctx context.Context, path string, size cloud.Bytes) error {
	_, err := tool(ctx, "btrfs", "qgroup", "limit", strconv.FormatInt(int64(size), 10), path)
	return err
}

// DeleteFilesystem implements engine.Engine. Its room is free a moment later.
func (e *Engine) DeleteFilesystem(ctx context.Context, f cloud.Filesystem) error {
	if err := e.checkFilesystem(f.ID); err != nil {
		return err
	}
	defer e.filesystems.lock(f.ID)()
	for _, path := range []string{e.config.filesystemPath(f.ID), e.config.unlimitedPath(f.ID)} {
		there, err := isThere(path)
		if err != nil {
			return err
		}
		if !there {
			continue
		}
		if _, err := tool(ctx, "btrfs", "subvolume", "delete", "--commit-after", path); err != nil {
			return err
		}
	}
	return nil
}

func isThere(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
