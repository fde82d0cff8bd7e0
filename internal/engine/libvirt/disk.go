package libvirt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// diskSuffix is that of images and of the layers over them.
const diskSuffix = ".qcow2"

// machineFolder is where what belongs to one machine lies, and nothing else.
func (c Config) machineFolder(id cloud.ID) string {
	return filepath.Join(c.Folder, "machines", string(id))
}

func (c Config) diskPath(id cloud.ID) string {
	return filepath.Join(c.machineFolder(id), "disk"+diskSuffix)
}

func (c Config) seedPath(id cloud.ID) string { return filepath.Join(c.machineFolder(id), "seed.iso") }
func (c Config) onPath(id cloud.ID) string   { return filepath.Join(c.machineFolder(id), "on") }

// makeFile has a file made as a whole or not at all, whenever the host crashes.
// One that is there is left as it is: a disk has been written to.
func makeFile(path string, write func(temporary string) error) error {
	if isFile(path) {
		return nil
	}
	temporary := path + ".new"
	if err := os.RemoveAll(temporary); err != nil {
		return err
	}
	if err := write(temporary); err != nil {
		return errors.Join(err, os.RemoveAll(temporary))
	}
	if err := flush(temporary); err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return err
	}
	return flush(filepath.Dir(path))
}

func flush(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// createDisk makes a machine's disk, which takes no room before it is written to.
func (c Config) createDisk(ctx context.Context, i image, path string) error {
	if i.disk == "" {
		size := max(c.DiskSize, 0)
		if size == 0 {
			size = DefaultDiskSize
		}
		return qemuImg(ctx, nil, "create", "-q", "-f", "qcow2", path, strconv.FormatInt(int64(size), 10))
	}
	var base struct {
		Size   cloud.Bytes `json:"virtual-size"`
		Format string      `json:"format"`
	}
	// The format is given and not probed: what is in an image must not decide
	// how it is read.
	if err := qemuImg(ctx, &base, "info", "--output=json", "-f", "qcow2", i.disk); err != nil {
		return err
	}
	return qemuImg(ctx, nil, "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", i.disk, path,
		strconv.FormatInt(int64(max(base.Size, c.DiskSize)), 10))
}

// qemuImg runs it, and reads what it prints into answer, unless that is nil.
func qemuImg(ctx context.Context, answer any, args ...string) error {
	out, err := tool(ctx, "qemu-img", args...)
	if err != nil || answer == nil {
		return err
	}
	return json.Unmarshal(out, answer)
}

// toolLimit is how long qemu-img or btrfs may take, for what takes it a moment.
const toolLimit = time.Minute

// tool runs a command, and returns what it prints.
func tool(ctx context.Context, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, toolLimit)
	defer cancel()
	var out, complaint bytes.Buffer
	command := exec.CommandContext(ctx, name, args...) //nolint:gosec // both are our own; the arguments are words, paths and numbers
	command.Stdout, command.Stderr = &out, &complaint
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", name, args[0], err, bytes.TrimSpace(complaint.Bytes()))
	}
	return out.Bytes(), nil
}

// makePassable makes a folder that QEMU's user passes through, seeing nothing on
// its way, whatever the process's umask.
func makePassable(folder string) error {
	if err := os.MkdirAll(folder, 0o711); err != nil { //nolint:gosec // G301: as just said
		return err
	}
	return os.Chmod(folder, 0o711) //nolint:gosec // G302: as just said
}
