package libvirt

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// imageFolder has a disk, a kernel with a command line and one without, and
// what is no image.
func imageFolder(t *testing.T) Config {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "images")
	for path, content := range map[string]string{
		"ubuntu22.04.qcow2": "", "tiny/kernel": "", "tiny/initrd": "", "tiny/cmdline": "quiet\n",
		"bare/kernel": "", "bare/initrd": "", "half/kernel": "", "notes.txt": "", ".hidden.qcow2": "",
		"../secret.qcow2": "",
	} {
		path = filepath.Join(folder, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Config{Images: folder}
}

func TestImage(t *testing.T) {
	t.Parallel()
	c := imageFolder(t)
	at := func(path string) string { return filepath.Join(c.Images, path) }
	for url, want := range map[string]image{
		"image://ubuntu22.04": {disk: at("ubuntu22.04.qcow2")},
		"image://tiny":        {kernel: at("tiny/kernel"), initrd: at("tiny/initrd"), cmdline: "quiet"},
		"image://bare":        {kernel: at("bare/kernel"), initrd: at("bare/initrd")},
	} {
		got, err := c.image(url)
		if err != nil || got != want {
			t.Errorf("%s is %+v, %v; want %+v", url, got, err, want)
		}
	}
	for _, url := range []string{
		"", "tiny", "image://", "image://half", "image://none", "image://../secret", "image://tiny/../../secret",
		"image://.hidden", "image://..", "image://.", "image:///etc/passwd", "image://tiny\x00", "image://a\nb", "file://tiny",
	} {
		if got, err := c.image(url); cloud.CodeOf(err) != cloud.CodeInvalid {
			t.Errorf("%q is %+v, %v; want it refused", url, got, err)
		}
	}
}

func TestImages(t *testing.T) {
	t.Parallel()
	got, err := imageFolder(t).images()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"image://bare", "image://tiny", "image://ubuntu22.04"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
