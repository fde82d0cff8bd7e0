package libvirt

import (
	"bytes"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/penstock-cloud/penstock/client/infrastructure"
)

// footprint is all that there is of one machine on the host.
type footprint struct {
	Domains   int
	Processes int      // of QEMU
	Files     []string // in its folder
	Addresses []string // that the host's rules let it speak from
}

// footprints finds them by looking at the host, and at nothing that the region
// says. What belongs to no machine has a name of its own.
func (p *penstock) footprints() map[string]footprint {
	p.Helper()
	found := make(map[string]footprint)
	note := func(name string, add func(*footprint)) {
		f := found[name]
		add(&f)
		found[name] = f
	}
	for _, id := range p.domains() {
		note(id, func(f *footprint) { f.Domains++ })
	}
	for _, id := range p.processes() {
		note(id, func(f *footprint) { f.Processes++ })
	}
	folders, err := os.ReadDir(filepath.Join(p.folder, "machines"))
	must(p.T, err)
	for _, folder := range folders {
		note(folder.Name(), func(f *footprint) { f.Files = p.filesIn(filepath.Join(p.folder, "machines", folder.Name())) })
	}
	devices := p.devices()
	for device, address := range p.rules() {
		note(devices[device], func(f *footprint) { f.Addresses = append(f.Addresses, address) })
	}
	return found
}

// domains are the ids of those that libvirtd knows, whether they run or not.
func (p *penstock) domains() []string {
	p.Helper()
	out, err := exec.Command("virsh", "--quiet", "--connect", "qemu:///system", "list", "--all", "--uuid").Output()
	if err != nil {
		p.Errorf("virsh list: %v", err)
	}
	return strings.Fields(string(out))
}

func (p *penstock) filesIn(folder string) []string {
	p.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil && !os.IsNotExist(err) { // it may be gone just now
		p.Fatal(err)
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}

var qemu = regexp.MustCompile(`^[^\x00]*qemu-system.*\x00-uuid\x00([^\x00]*)\x00`)

// processes are the machines that QEMU runs, once for each that does.
func (p *penstock) processes() (ids []string) {
	p.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(p.T, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended since
		}
		if found := qemu.FindSubmatch(text); found != nil {
			ids = append(ids, string(found[1]))
		}
	}
	return ids
}

var (
	element   = regexp.MustCompile(`"?(pkg\w+)"? \. [0-9a-f:]+ \. ([0-9.]+)`)
	interfaze = regexp.MustCompile(`<target dev='(pkg\w+)'/>`)
)

// rules are the addresses that interfaces may speak from.
func (p *penstock) rules() map[string]string {
	p.Helper()
	addresses := make(map[string]string)
	out, err := exec.Command("nft", "list", "set", "bridge", "penstock", "guests").Output()
	if err != nil {
		return addresses // no machine has been started yet
	}
	for _, found := range element.FindAllSubmatch(out, -1) {
		addresses[string(found[1])] = string(found[2])
	}
	return addresses
}

// devices are the machines whose interfaces the rules name, by what their
// domains say; one that no domain has is said to be nobody's.
func (p *penstock) devices() map[string]string {
	p.Helper()
	devices := make(map[string]string)
	for device := range p.rules() {
		devices[device] = "nobody, by " + device
	}
	for _, id := range p.domains() {
		text, err := exec.Command("virsh", "--connect", "qemu:///system", "dumpxml", "--inactive", id).Output()
		if found := interfaze.FindSubmatch(text); err == nil && found != nil {
			devices[string(found[1])] = id
		}
	}
	return devices
}

// expected is what there has to be of the instances of some projects, each of
// which has been started at least once.
func (p *penstock) expected(projects ...uuid.UUID) map[string]footprint {
	p.Helper()
	want, holders := make(map[string]footprint), make(map[string]string)
	for _, project := range projects {
		for _, i := range p.all(project) {
			if i.IP == nil {
				p.Fatalf("the instance %s is %s and has no address", i.ID, i.State)
			}
			if holder := holders[*i.IP]; holder != "" {
				p.Fatalf("%s and %s both have the address %s", holder, i.ID, *i.IP)
			}
			holders[*i.IP] = i.ID.String()
			f := footprint{Domains: 1, Files: []string{"disk.qcow2", "seed.iso"}, Addresses: []string{*i.IP}}
			if i.State == infrastructure.InstanceStateRunning {
				f.Processes, f.Files = 1, []string{"disk.qcow2", "on", "seed.iso"}
			}
			want[i.ID.String()] = f
		}
	}
	return want
}

// agrees waits until there is on the host what the region says, no less and no
// more.
func (p *penstock) agrees(projects ...uuid.UUID) {
	p.Helper()
	eventually(p.T, promised, func() error {
		if diff := cmp.Diff(p.expected(projects...), p.footprints()); diff != "" {
			return fmt.Errorf("the host differs from what the region says (-region +host):\n%s", diff)
		}
		return nil
	})
}

// leftNothing looks for what is left when no instance is.
func (p *penstock) leftNothing() {
	p.Helper()
	p.agrees()
	links, err := net.Interfaces()
	must(p.T, err)
	for _, link := range links {
		if strings.HasPrefix(link.Name, "pk") {
			p.Errorf("the interface %s is left", link.Name)
		}
	}
}

// killQEMU is kill -9 of the process that runs a machine.
func (m *machine) killQEMU() {
	m.Helper()
	text, err := os.ReadFile(filepath.Join("/run/libvirt/qemu", "penstock-"+m.id.String()+".pid"))
	must(m.T, err)
	var pid int
	_, err = fmt.Sscan(string(bytes.TrimSpace(text)), &pid)
	must(m.T, err)
	must(m.T, syscall.Kill(pid, syscall.SIGKILL))
}

// summary is what there is on the host, in a line.
func (p *penstock) summary() string {
	p.Helper()
	all := p.footprints()
	texts := make([]string, 0, len(all))
	for _, id := range slices.Sorted(maps.Keys(all)) {
		f := all[id]
		texts = append(texts, fmt.Sprintf("%v of %d domain, %d process", f.Files, f.Domains, f.Processes))
	}
	if len(texts) == 0 {
		return "nothing"
	}
	return strings.Join(texts, "; ")
}
