package libvirt

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// filesystemSize is that of the tests' filesystems.
const filesystemSize cloud.Bytes = 16 << 20

// realFilesystems is an engine whose filesystems are on a real btrfs.
func realFilesystems(t *testing.T) *Engine {
	t.Helper()
	c := realSite(t).config()
	if c.Filesystems = os.Getenv("PENSTOCK_TEST_LIBVIRT_BTRFS"); c.Filesystems == "" {
		t.Skip("needs a kernel with btrfs")
	}
	e, err := New(c)
	must(t, err)
	if !e.Features().Filesystems {
		t.Fatalf("there are no filesystems: %v", e.noFilesystems)
	}
	t.Cleanup(func() {
		if left, err := filepath.Glob(filepath.Join(c.Filesystems, "*")); err != nil || len(left) > 0 {
			t.Errorf("filesystems are left: %v, %v", left, err)
		}
	})
	return e
}

func create(t *testing.T, e *Engine, f cloud.Filesystem) {
	t.Helper()
	t.Cleanup(func() {
		if err := e.DeleteFilesystem(context.Background(), f); err != nil {
			t.Errorf("delete: %v", cloud.Explain(err))
		}
	})
	must(t, e.CreateFilesystem(t.Context(), f))
}

// fill writes more than fits, and returns how much of it did.
func fill(t *testing.T, folder string) cloud.Bytes {
	t.Helper()
	path := filepath.Join(folder, "filler")
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	var written cloud.Bytes
	for chunk := make([]byte, 1<<20); written < 2*filesystemSize; {
		n, err := f.Write(chunk)
		if written += cloud.Bytes(n); err == nil {
			err = f.Sync()
		}
		if errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.ENOSPC) {
			must(t, os.Remove(path))
			return written
		}
		must(t, err)
	}
	return written
}

// holdsItsSize has as much fit as was asked for, but for what btrfs needs itself.
func holdsItsSize(t *testing.T, folder string) {
	t.Helper()
	if got := fill(t, folder); got > filesystemSize || got < filesystemSize/2 {
		t.Errorf("%d bytes fit in a filesystem of %d", got, filesystemSize)
	}
}

func TestLifeOfAFilesystem(t *testing.T) {
	e := realFilesystems(t)
	f := filesystem(newID(t), filesystemSize)
	beside := filesystem(newID(t), filesystemSize)
	create(t, e, f)
	create(t, e, beside)
	folder := e.config.filesystemPath(f.ID)
	must(t, os.WriteFile(filepath.Join(folder, "kept"), []byte("kept"), 0o600))
	must(t, e.CreateFilesystem(t.Context(), f)) // whatever is asked may be asked again
	if got, err := os.ReadFile(filepath.Join(folder, "kept")); string(got) != "kept" {
		t.Errorf("made again, it holds %q, %v", got, err)
	}
	holdsItsSize(t, folder)
	holdsItsSize(t, e.config.filesystemPath(beside.ID))
	for range 2 {
		must(t, e.DeleteFilesystem(t.Context(), f))
		if there, err := isThere(folder); there || err != nil {
			t.Errorf("it is there when it is deleted: %v", err)
		}
	}
	must(t, e.DeleteFilesystem(t.Context(), filesystem(newID(t), filesystemSize)))
}

// TestFilesystemsAfterACrash begins where a crash may have left one.
func TestFilesystemsAfterACrash(t *testing.T) {
	e := realFilesystems(t)
	for name, path := range map[string]func(cloud.ID) string{
		"not limited yet":        e.config.unlimitedPath,
		"its limit is lost":      e.config.filesystemPath,
		"nothing was done of it": nil,
	} {
		t.Run(name, func(t *testing.T) {
			made, gone := filesystem(newID(t), filesystemSize), filesystem(newID(t), filesystemSize)
			for _, f := range []cloud.Filesystem{made, gone} {
				if path != nil {
					_, err := tool(t.Context(), "btrfs", "subvolume", "create", path(f.ID))
					must(t, err)
				}
			}
			create(t, e, made)
			holdsItsSize(t, e.config.filesystemPath(made.ID))
			if there, err := isThere(e.config.unlimitedPath(made.ID)); there || err != nil {
				t.Errorf("what is not limited is left: %v", err)
			}
			must(t, e.DeleteFilesystem(t.Context(), gone))
		})
	}
}

// TestOpenFolder has everybody of the host come at tenants' files.
func TestOpenFolder(t *testing.T) {
	c := realFilesystems(t).config
	must(t, os.Chmod(c.Filesystems, 0o711))
	t.Cleanup(func() { must(t, os.Chmod(c.Filesystems, 0o700)) })
	e, err := New(c)
	must(t, err)
	if e.Features().Filesystems || !strings.Contains(e.noFilesystems.Error(), "chmod 700") {
		t.Errorf("an open folder is taken: %v", e.noFilesystems)
	}
}

// TestSharedFilesystem has two machines share what they write, and no more of
// it than fits.
func TestSharedFilesystem(t *testing.T) {
	e, n := realFilesystems(t), newTenant(t)
	f := filesystem(newID(t), filesystemSize)
	writer, reader := n.machine(t, newID(t)), n.machine(t, newID(t))
	reader.ProjectID = writer.ProjectID
	writer.Filesystems, reader.Filesystems = []cloud.ID{f.ID}, []cloud.ID{f.ID}
	if err := e.Prepare(t.Context(), writer); cloud.CodeOf(err) != cloud.CodeInvalid {
		t.Errorf("Prepare without its filesystem: %v", err)
	}
	create(t, e, f)
	launch(t, e, writer, reader)
	mount := "mount -t virtiofs " + string(f.ID) + " /mnt && "
	n.logsIn(t, writer.IP, "true")
	out, err := n.run(writer.IP, "mkdir -p /mnt && "+mount+"echo shared >/mnt/note && sync")
	if err != nil {
		t.Fatalf("the writer: %v: %s", err, out)
	}
	n.logsIn(t, reader.IP, "true")
	out, err = n.run(reader.IP, "mkdir -p /mnt && "+mount+"cat /mnt/note")
	if err != nil || out != "shared\n" {
		t.Errorf("the reader: %v: %q", err, out)
	}
	if out, err := n.run(writer.IP, "dd if=/dev/zero of=/mnt/much bs=1M count=24 conv=fsync"); err == nil ||
		!strings.Contains(out, "quota exceeded") && !strings.Contains(out, "No space") {
		t.Errorf("more than fits: %v: %s", err, out)
	}
}
