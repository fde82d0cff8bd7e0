package libvirt

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// probeLimit is how long KVM may take to boot a kernel as far as that gets
// without a disk: a second where it works.
const probeLimit = 15 * time.Second

// probe finds out, once and when it is first asked, how machines are run here.
//
// That /dev/kvm can be opened does not say that it works: on some hosts,
// virtual ones above all, what runs on it hangs, and not at once either: such
// a host boots a few instructions well. So a whole kernel is booted, which ends
// when it finds no root to mount.
func (c Config) probe() func() virtualization {
	return sync.OnceValue(func() virtualization {
		if c.Emulate {
			return emulation
		}
		kernel, found := c.someKernel()
		if !found {
			c.Log.Warn("machines are emulated, which is slow: KVM could not be tried without a kernel in /boot or among the images")
			return emulation
		}
		if err := bootsByKVM(kernel); err != nil {
			c.Log.Warn("machines are emulated, which is slow: KVM did not boot a kernel",
				slog.String("kernel", kernel), slog.Any("error", err))
			return emulation
		}
		c.Log.Info("machines run on KVM")
		return hardware
	})
}

// someKernel finds one to try KVM with, of the images or of the host.
func (c Config) someKernel() (path string, found bool) {
	for _, pattern := range []string{filepath.Join(c.Images, "*", "kernel"), "/boot/vmlinuz-*"} {
		paths, _ := filepath.Glob(pattern) // the patterns are well-formed
		for _, path := range paths {
			if isFile(path) {
				return path, true
			}
		}
	}
	return "", false
}

// bootsByKVM boots a kernel as machines are going to be. It says something, and
// restarts when it panics, which here ends it.
func bootsByKVM(kernel string) error {
	ctx, cancel := context.WithTimeout(context.Background(), probeLimit)
	defer cancel()
	return boots(ctx, kernel, "kvm")
}

func boots(ctx context.Context, kernel, accelerator string) error {
	command := exec.CommandContext(ctx, "qemu-system-x86_64", //nolint:gosec // the kernel is the operator's
		"-accel", accelerator, "-cpu", "max", "-machine", "q35", "-m", "256", "-smp", "1",
		"-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot",
		"-kernel", kernel, "-append", "console=ttyS0 panic=-1")
	command.WaitDelay = time.Second
	out, err := command.Output()
	if ctx.Err() != nil {
		return errHangs
	}
	if err != nil {
		return err
	}
	if !bytes.Contains(out, []byte("Linux version")) {
		return errSilent
	}
	return nil
}

var (
	errHangs  = errors.New("it did not end in time")
	errSilent = errors.New("the kernel said nothing")
)
