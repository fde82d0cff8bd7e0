package libvirt

import (
	"bytes"
	"encoding/base64"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/iso9660"
	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// TestSeed reads back what a machine reads.
func TestSeed(t *testing.T) {
	t.Parallel()
	every := bytes.Repeat([]byte("\x00\r\n\xff#cloud-config é"), 3500) // near the bound of 64 KiB
	encoded, empty := base64.StdEncoding.EncodeToString(every), ""
	for name, test := range map[string]struct {
		userData *string
		want     []byte
	}{
		"no user data":    {nil, []byte("#cloud-config\n")},
		"empty user data": {&empty, []byte("#cloud-config\n")},
		"any bytes":       {&encoded, every},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := goldenMachine()
			m.UserData = test.userData
			seed, err := goldenConfig().seed(m)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "seed.iso")
			if err := makeFile(path, seed.write); err != nil {
				t.Fatal(err)
			}
			files, label := readSeed(t, path)
			if strings.TrimRight(label, " ") != "cidata" {
				t.Errorf("the volume is called %q", label)
			}
			if !bytes.Equal(files["user-data"], test.want) {
				t.Errorf("the user data became %.80q, of %d bytes", files["user-data"], len(files["user-data"]))
			}
			compareGolden(t, filepath.Join("testdata", "meta-data"), string(files["meta-data"]))
			compareGolden(t, filepath.Join("testdata", "network-config"), string(files["network-config"]))
			if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(left) != 1 {
				t.Errorf("more than the seed is left: %v", left)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("others can read the seed: %v, %v", info.Mode(), err)
			}
		})
	}
}

func readSeed(t *testing.T, path string) (files map[string][]byte, label string) {
	t.Helper()
	volume, err := file.OpenFromPath(path, true)
	if err != nil {
		t.Fatal(err)
	}
	defer volume.Close()
	filesystem, err := iso9660.Read(volume, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	files = make(map[string][]byte)
	for _, name := range []string{"meta-data", "user-data", "network-config"} {
		f, err := filesystem.OpenFile("/"+name, os.O_RDONLY)
		if err != nil {
			t.Fatal(err)
		}
		if files[name], err = io.ReadAll(f); err != nil {
			t.Fatal(err)
		}
	}
	return files, filesystem.Label()
}

func TestSeedRefusesWhatIsNotBase64(t *testing.T) {
	t.Parallel()
	m, wrong := goldenMachine(), "#cloud-config"
	m.UserData = &wrong
	if _, err := goldenConfig().seed(m); cloud.CodeOf(err) != cloud.CodeInvalid {
		t.Errorf("got %v", err)
	}
}

func TestGuestName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Web & 1": "web---1", "a": "a", "-x.y-": "x-y", "日本": "0190a1c0-0000-7000-8000-00000000000a",
	} {
		m := goldenMachine()
		m.Name = name
		if diff := cmp.Diff(want, guestName(m)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", name, diff)
		}
	}
}

// What a daemon that was killed left of a seed goes when the next one makes it.
func TestSeedAfterACrash(t *testing.T) {
	t.Parallel()
	seed, err := goldenConfig().seed(goldenMachine())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "seed.iso")
	half := path + ".new.files"
	if err := os.Mkdir(half, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path + ".new", filepath.Join(half, "stale")} {
		if err := os.WriteFile(name, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := makeFile(path, seed.write); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(path + "*"); len(left) != 1 {
		t.Errorf("more than the seed is left: %v", left)
	}
	if files, _ := readSeed(t, path); files["stale"] != nil || files["meta-data"] == nil {
		t.Errorf("the seed has %d files, among them what was left", len(files))
	}
}
