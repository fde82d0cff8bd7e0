package libvirt

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

// TestNoFilesystems has a folder that limits nothing.
func TestNoFilesystems(t *testing.T) {
	t.Parallel()
	c := goldenConfig()
	c.Folder, c.Images, c.Filesystems, c.Log = t.TempDir(), t.TempDir(), "/proc", slog.New(slog.DiscardHandler)
	if err := os.WriteFile(filepath.Join(c.Images, "debian12.qcow2"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if e.Features().Filesystems || !strings.Contains(e.noFilesystems.Error(), "btrfs") {
		t.Errorf("there are filesystems on /proc, or it is not said why: %v", e.noFilesystems)
	}
	f := filesystem("0190a1c0-0000-7000-8000-0000000000f1", 1<<20)
	for name, err := range map[string]error{
		"create": e.CreateFilesystem(t.Context(), f),
		"delete": e.DeleteFilesystem(t.Context(), f),
		"shares": e.checkShares([]cloud.ID{f.ID}),
	} {
		if cloud.CodeOf(err) != cloud.CodeUnimplemented {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := e.checkShares(nil); err != nil {
		t.Errorf("a machine without filesystems: %v", err)
	}
}

// TestFilesystemsRefused is what is refused before anything is run.
func TestFilesystemsRefused(t *testing.T) {
	t.Parallel()
	c := goldenConfig()
	c.Filesystems = t.TempDir()
	var e engine.Engine = &Engine{config: c} // as if they were possible
	for name, f := range map[string]cloud.Filesystem{
		"a path":         filesystem("../../etc", 1<<20),
		"no id":          filesystem("", 1<<20),
		"in upper case":  filesystem("0190A1C0-0000-7000-8000-0000000000F1", 1<<20),
		"without a size": filesystem("0190a1c0-0000-7000-8000-0000000000f1", 0),
		"less than none": filesystem("0190a1c0-0000-7000-8000-0000000000f1", -1),
	} {
		if err := e.CreateFilesystem(t.Context(), f); cloud.CodeOf(err) != cloud.CodeInvalid {
			t.Errorf("create %s: %v", name, err)
		}
		if f.Size < 1 {
			continue // which does not matter any more
		}
		if err := e.DeleteFilesystem(t.Context(), f); cloud.CodeOf(err) != cloud.CodeInvalid {
			t.Errorf("delete %s: %v", name, err)
		}
	}
	c.Filesystems = "relative"
	if _, err := New(c); cloud.CodeOf(err) != cloud.CodeInvalid {
		t.Errorf("a relative folder: %v", err)
	}
}

// TestFilesystemsAway has their btrfs go when the engine runs: what cannot be
// seen is not gone.
func TestFilesystemsAway(t *testing.T) {
	t.Parallel()
	c := goldenConfig()
	c.Filesystems = "/proc"
	e := &Engine{config: c}
	f := filesystem("0190a1c0-0000-7000-8000-0000000000f1", 1<<20)
	for name, err := range map[string]error{
		"create": e.CreateFilesystem(t.Context(), f),
		"delete": e.DeleteFilesystem(t.Context(), f),
		"shares": e.checkShares([]cloud.ID{f.ID}),
	} {
		if cloud.CodeOf(err) != cloud.CodeUnavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func filesystem(id cloud.ID, size cloud.Bytes) cloud.Filesystem {
	return cloud.Filesystem{ID: id, ProjectID: "0190a1c0-0000-7000-8000-0000000000b0", Name: "data", Size: size}
}
