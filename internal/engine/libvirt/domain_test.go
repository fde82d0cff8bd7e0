package libvirt

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	golibvirt "github.com/digitalocean/go-libvirt"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
)

var update = flag.Bool("update", false, "write the golden files anew")

func goldenConfig() Config {
	return Config{
		Region: "north", Folder: "/srv/penstock", Images: "/srv/images",
		Host: cloud.Host{Name: "host-1", CPU: 8, Memory: 64 << 30},
		Network: Network{
			Prefix: netip.MustParsePrefix("10.64.0.0/16"), Gateway: netip.MustParseAddr("10.64.0.1"),
			Nameservers: []netip.Addr{netip.MustParseAddr("9.9.9.9")},
		},
	}
}

func goldenMachine() engine.Machine {
	return engine.Machine{
		ID: "0190a1c0-0000-7000-8000-00000000000a", ProjectID: "0190a1c0-0000-7000-8000-0000000000b0", Host: "host-1",
		MachineSpec: cloud.MachineSpec{
			Name: "Web & 1", Type: cloud.InstanceType{Name: "small", CPU: 2, Memory: 4 << 30}, Image: "image://debian12",
			SSHKeys: []string{"ssh-ed25519 AAAA ada's \"laptop\"", "ssh-rsa BBBB <bob>"},
		},
		IP: "10.64.3.7",
	}
}

var (
	diskImage   = image{disk: "/srv/images/debian12.qcow2"}
	kernelImage = image{kernel: "/srv/images/tiny/kernel", initrd: "/srv/images/tiny/initrd", cmdline: "console=ttyS0 a=\"<b>\""}
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	gpu, shared := goldenMachine(), goldenMachine()
	gpu.Type.GPUModel, gpu.Type.GPUCount = "h100", 2
	gpu.GPUs = []string{"0000:65:00.0", "0001:b1:1f.7"}
	shared.Filesystems = []cloud.ID{"0190a1c0-0000-7000-8000-0000000000f1", "0190a1c0-0000-7000-8000-0000000000f2"}
	for name, test := range map[string]struct {
		machine engine.Machine
		image   image
		virtualization
	}{
		"plain":       {goldenMachine(), diskImage, hardware},
		"kernel":      {goldenMachine(), kernelImage, emulation},
		"gpu":         {gpu, diskImage, hardware},
		"filesystems": {shared, diskImage, hardware},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := goldenConfig().describe(test.machine, test.image, test.virtualization)
			if err != nil {
				t.Fatal(err)
			}
			compareGolden(t, filepath.Join("testdata", name+".xml"), got+"\n")
		})
	}
}

func compareGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is not what is made now; -update writes it anew (-want +got):\n%s", path, diff)
	}
}

func TestDescribeRefuses(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*engine.Machine){
		"an address of elsewhere":  func(m *engine.Machine) { m.IP = "10.65.0.2" },
		"the gateway's address":    func(m *engine.Machine) { m.IP = "10.64.0.1" },
		"no address":               func(m *engine.Machine) { m.IP = "" },
		"a GPU that is no address": func(m *engine.Machine) { m.GPUs = []string{"65:00.0"} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := goldenMachine()
			spoil(&m)
			if text, err := goldenConfig().describe(m, diskImage, hardware); err == nil {
				t.Errorf("described: %s", text)
			}
		})
	}
}

func TestPower(t *testing.T) {
	t.Parallel()
	const off = golibvirt.DomainShutoff
	for name, test := range map[string]struct {
		state  golibvirt.DomainState
		reason golibvirt.DomainShutoffReason
		wasOn  bool
		power  engine.Power
		says   string
	}{
		"running":                   {state: golibvirt.DomainRunning, wasOn: true, power: engine.PowerOn},
		"paused":                    {state: golibvirt.DomainPaused, wasOn: true, power: engine.PowerOn},
		"being shut down":           {state: golibvirt.DomainShutdown, wasOn: true, power: engine.PowerOn},
		"shut down from inside":     {state: off, reason: golibvirt.DomainShutoffShutdown, wasOn: true, power: engine.PowerOff},
		"destroyed":                 {state: off, reason: golibvirt.DomainShutoffDestroyed, wasOn: true, power: engine.PowerOff},
		"never on":                  {state: off, reason: golibvirt.DomainShutoffUnknown, power: engine.PowerOff},
		"panicked":                  {state: off, reason: golibvirt.DomainShutoffCrashed, power: engine.PowerFailed, says: reasonEnded},
		"killed":                    {state: off, reason: golibvirt.DomainShutoffFailed, power: engine.PowerFailed, says: reasonEnded},
		"killed with the daemon":    {state: off, reason: golibvirt.DomainShutoffDaemon, power: engine.PowerFailed, says: reasonEnded},
		"on when the host went off": {state: off, reason: golibvirt.DomainShutoffUnknown, wasOn: true, power: engine.PowerFailed, says: reasonLost},
		"crashed":                   {state: golibvirt.DomainCrashed, power: engine.PowerFailed, says: reasonEnded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, says := power(test.state, test.reason, test.wasOn); got != test.power || says != test.says {
				t.Errorf("seen as %s %q, want %s %q", got, says, test.power, test.says)
			}
		})
	}
}

func TestDeviceNames(t *testing.T) {
	t.Parallel()
	one, other := deviceName(bridgePrefix, "0190a1c0-0000-7000-8000-00000000000a"), deviceName(bridgePrefix, "0190a1c0-0000-7000-8000-00000000000b")
	if len(one) != 15 || one == other {
		t.Errorf("the names %q and %q must differ and have 15 bytes", one, other)
	}
}
