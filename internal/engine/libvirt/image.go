package libvirt

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// imageScheme is what the name of an image begins with.
const imageScheme = "image://"

// imageName leaves no room for a path.
var imageName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,126}$`)

// image is what a machine is made from: a disk, or a kernel with its initrd.
type image struct {
	disk    string // path of a qcow2 file; "" where there is a kernel
	kernel  string // path
	initrd  string // path
	cmdline string
}

// maxCmdline bounds a kernel's command line, in bytes, as Linux does.
const maxCmdline = 2048

// image finds image://NAME. CodeInvalid if there is none.
func (c Config) image(url string) (image, error) {
	name, ok := strings.CutPrefix(url, imageScheme)
	if !ok || !imageName.MatchString(name) {
		return image{}, cloud.Invalid("image: give the name of one of this region's images, as image://NAME; got %q", url)
	}
	if disk := filepath.Join(c.Images, name+diskSuffix); isFile(disk) {
		return image{disk: disk}, nil
	}
	folder := filepath.Join(c.Images, name)
	i := image{kernel: filepath.Join(folder, "kernel"), initrd: filepath.Join(folder, "initrd")}
	if !isFile(i.kernel) || !isFile(i.initrd) {
		return image{}, cloud.Invalid("image: this region has no image %s", url)
	}
	cmdline, err := os.ReadFile(filepath.Join(folder, "cmdline"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return image{}, err
	}
	i.cmdline = strings.TrimSpace(string(cmdline))
	if len(i.cmdline) > maxCmdline {
		return image{}, cloud.Invalid("image: the command line of %s is over %d bytes", url, maxCmdline)
	}
	return i, nil
}

// images lists what there is in the folder, by name. What is no image, or has
// a name that none can have, is left out.
func (c Config) images() ([]string, error) {
	entries, err := os.ReadDir(c.Images)
	if err != nil {
		return nil, err
	}
	var urls []string
	for _, entry := range entries {
		url := imageScheme + strings.TrimSuffix(entry.Name(), diskSuffix)
		if _, err := c.image(url); err == nil {
			urls = append(urls, url)
		}
	}
	slices.Sort(urls)
	return slices.Compact(urls), nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
