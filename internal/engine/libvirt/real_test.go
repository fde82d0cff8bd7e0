package libvirt

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/crypto/ssh"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
	"github.com/penstock-cloud/penstock/internal/engine/enginetest"
)

// site is a real libvirtd, as test/libvirt/run.sh gives it.
type site struct{ socket, images, folder, daemon string }

// realSite skips the test where there is none. The tests that have one do not
// run side by side: they stop the daemon, and share two processors.
func realSite(t *testing.T) site {
	t.Helper()
	if os.Getenv("PENSTOCK_TEST_LIBVIRT") == "" {
		t.Skip("needs a libvirtd of its own: run make test-libvirt")
	}
	return site{
		socket: os.Getenv("PENSTOCK_TEST_LIBVIRT_SOCKET"), images: os.Getenv("PENSTOCK_TEST_LIBVIRT_IMAGES"),
		folder: t.TempDir(), daemon: os.Getenv("PENSTOCK_TEST_LIBVIRT_DAEMON"),
	}
}

func (s site) config() Config {
	return Config{
		Region: "test", Socket: s.socket, Folder: s.folder, Images: s.images, DiskSize: 64 << 20, Emulate: true,
		Host: cloud.Host{Name: "host-1", CPU: 8, Memory: 8 << 30},
		Network: Network{
			Prefix: netip.MustParsePrefix("10.64.0.0/16"), Gateway: netip.MustParseAddr("10.64.0.1"),
		},
		Log: slog.New(slog.DiscardHandler),
	}
}

func (s site) control(t *testing.T, order string) {
	t.Helper()
	if out, err := exec.Command(s.daemon, order).CombinedOutput(); err != nil {
		t.Fatalf("daemon %s: %v: %s", order, err, out)
	}
}

func virsh(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("virsh", append([]string{"--quiet", "--connect", "qemu:///system"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("virsh %v: %v: %s", args, err, out)
	}
	return string(out)
}

// witness runs an engine and remembers what it told of each machine.
type witness struct {
	*Engine
	mu    sync.Mutex
	told  map[cloud.ID]engine.Sighting
	ended chan error
}

func watch(t *testing.T, c Config) *witness {
	t.Helper()
	e, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{Engine: e, told: make(map[cloud.ID]engine.Sighting), ended: make(chan error, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { w.ended <- e.Run(ctx, w.tell) }()
	t.Cleanup(func() {
		cancel()
		if err := <-w.ended; !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled Run returned %v", err)
		}
	})
	return w
}

func (w *witness) tell(s engine.Sighting) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told[s.ID] = s
}

// until waits for what is told of a machine, for at most 5 s as promised.
func (w *witness) until(t *testing.T, id cloud.ID, power engine.Power, reason string) {
	t.Helper()
	want := engine.Sighting{ID: id, Host: "host-1", Power: power, Reason: reason}
	var got engine.Sighting
	eventually(t, 5*time.Second, func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if got = w.told[id]; got != want {
			return fmt.Errorf("told %+v, want %+v", got, want)
		}
		return nil
	})
}

func eventually(t *testing.T, limit time.Duration, check func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v: %v", limit, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// surveyed is what a survey sees of a machine, PowerGone if nothing.
func surveyed(t *testing.T, e engine.Engine, id cloud.ID) engine.Power {
	t.Helper()
	s, err := e.Survey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, sighting := range s.Sightings {
		if sighting.ID == id {
			return sighting.Power
		}
	}
	return engine.PowerGone
}

// tenant is who logs in.
type tenant struct {
	signer ssh.Signer
	line   string
}

func newTenant(t *testing.T) tenant {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return tenant{signer, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))}
}

// sshLimit bounds one login and its command: a machine that turns itself off
// does not hang up.
const sshLimit = 10 * time.Second

func (n tenant) run(address, command string) (string, error) {
	endpoint := net.JoinHostPort(address, "22")
	wire, err := net.DialTimeout("tcp", endpoint, 2*time.Second)
	if err != nil {
		return "", err
	}
	defer wire.Close()
	if err := wire.SetDeadline(time.Now().Add(sshLimit)); err != nil {
		return "", err
	}
	conn, channels, requests, err := ssh.NewClientConn(wire, endpoint, &ssh.ClientConfig{
		User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(n.signer)}, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
	if err != nil {
		return "", err
	}
	client := ssh.NewClient(conn, channels, requests)
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		return "", err
	}
	out, err := session.CombinedOutput(command)
	return string(out), err
}

// logsIn waits until the machine has booted, for as long as a busy host's
// emulation may take.
func (n tenant) logsIn(t *testing.T, address, command string) (out string) {
	t.Helper()
	eventually(t, 90*time.Second, func() (err error) {
		out, err = n.run(address, command)
		return err
	})
	return out
}

var lastAddress = netip.MustParseAddr("10.64.1.0")

func (n tenant) machine(t *testing.T, project cloud.ID) engine.Machine {
	t.Helper()
	lastAddress = lastAddress.Next()
	userData := base64.StdEncoding.EncodeToString([]byte("#cloud-config\n# " + t.Name() + "\n"))
	return engine.Machine{
		ID: newID(t), ProjectID: project, Host: "host-1", IP: lastAddress.String(),
		MachineSpec: cloud.MachineSpec{
			Name: "Web 1", Type: cloud.InstanceType{Name: "tiny", CPU: 1, Memory: 160 << 20},
			Image: "image://tiny", UserData: &userData, SSHKeys: []string{n.line},
		},
	}
}

func newID(t *testing.T) cloud.ID {
	t.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	return cloud.ID(id.String())
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(cloud.Explain(err))
	}
}

// launch prepares and starts machines, and deletes them at the end.
func launch(t *testing.T, e engine.Engine, machines ...engine.Machine) {
	t.Helper()
	for _, m := range machines {
		t.Cleanup(func() {
			if err := e.Delete(context.Background(), m); err != nil {
				t.Errorf("delete: %v", cloud.Explain(err))
			}
		})
		must(t, e.Prepare(t.Context(), m))
		must(t, e.Start(t.Context(), m))
	}
}

// TestLifeOfAMachine is the whole of it: what its tenant sees, and what is left
// when it is gone.
func TestLifeOfAMachine(t *testing.T) {
	s, n := realSite(t), newTenant(t)
	w := watch(t, s.config())
	ctx := t.Context()
	m := n.machine(t, newID(t))

	if err := w.Start(ctx, m); cloud.CodeOf(err) != cloud.CodeNotFound {
		t.Errorf("Start of what is not prepared: %v", err)
	}
	for range 2 { // whatever is asked may be asked again
		must(t, w.Prepare(ctx, m))
		w.until(t, m.ID, engine.PowerOff, "")
	}
	for range 2 {
		must(t, w.Start(ctx, m))
		w.until(t, m.ID, engine.PowerOn, "")
	}
	out := n.logsIn(t, m.IP, "hostname; cat /seed/user-data; echo kept | dd of=/dev/vda conv=fsync 2>/dev/null")
	if want := "web-1\n#cloud-config\n# TestLifeOfAMachine\n"; out != want {
		t.Errorf("inside: %q, want %q", out, want)
	}
	for range 2 {
		must(t, w.Stop(ctx, m, time.Minute))
		w.until(t, m.ID, engine.PowerOff, "")
	}
	if isFile(s.config().onPath(m.ID)) {
		t.Error("it is noted as on when it has been stopped")
	}
	must(t, w.Start(ctx, m))
	if out := n.logsIn(t, m.IP, "head -n 1 /dev/vda"); out != "kept\n" {
		t.Errorf("the disk forgot: %q", out)
	}
	for range 2 {
		must(t, w.Delete(ctx, m))
		w.until(t, m.ID, engine.PowerGone, "")
	}
	must(t, w.Stop(ctx, m, time.Minute))
	leftNothing(t, s)
}

// leftNothing looks for what machines leave on a host.
func leftNothing(t *testing.T, s site) {
	t.Helper()
	if domains := strings.TrimSpace(virsh(t, "list", "--all", "--name")); domains != "" {
		t.Errorf("domains are left: %s", domains)
	}
	if left, err := filepath.Glob(filepath.Join(s.folder, "machines", "*")); err != nil || len(left) > 0 {
		t.Errorf("files are left: %v, %v", left, err)
	}
	links, err := net.Interfaces()
	must(t, err)
	for _, link := range links {
		if strings.HasPrefix(link.Name, bridgePrefix) || strings.HasPrefix(link.Name, guestPrefix) {
			t.Errorf("the interface %s is left", link.Name)
		}
	}
	rules, err := exec.Command("nft", "list", "ruleset", "bridge").Output() // there may be no table yet
	must(t, err)
	if bytes.Contains(rules, []byte("elements")) {
		t.Errorf("rules are left: %s", rules)
	}
}

// TestBehindOurBack is what others do to machines, and what is told of it.
func TestBehindOurBack(t *testing.T) {
	s, n := realSite(t), newTenant(t)
	w := watch(t, s.config())
	m := n.machine(t, newID(t))
	launch(t, w, m)
	name := domainName(m)

	killMachine(t, name)
	w.until(t, m.ID, engine.PowerFailed, reasonEnded)
	must(t, w.Start(t.Context(), m))
	w.until(t, m.ID, engine.PowerOn, "")
	virsh(t, "destroy", name)
	w.until(t, m.ID, engine.PowerOff, "")
	must(t, w.Start(t.Context(), m))
	n.logsIn(t, m.IP, "true")
	n.run(m.IP, "poweroff -f") // which ends before it can say that it did
	w.until(t, m.ID, engine.PowerOff, "")
	virsh(t, "undefine", name)
	w.until(t, m.ID, engine.PowerGone, "")
	if got := surveyed(t, w, m.ID); got != engine.PowerGone {
		t.Errorf("after undefine it is seen as %s", got)
	}
	must(t, w.Delete(t.Context(), m))
	leftNothing(t, s)
}

// TestPanic has a machine end by a panic of its kernel.
func TestPanic(t *testing.T) {
	s, n := realSite(t), newTenant(t)
	w := watch(t, s.config())
	m := n.machine(t, newID(t))
	launch(t, w, m)
	n.logsIn(t, m.IP, "true")
	n.run(m.IP, "echo c >/proc/sysrq-trigger") // which is never answered
	w.until(t, m.ID, engine.PowerFailed, reasonEnded)
}

func killMachine(t *testing.T, name string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/run/libvirt/qemu", name+".pid"))
	must(t, err)
	var pid int
	_, err = fmt.Sscan(string(text), &pid)
	must(t, err)
	must(t, syscall.Kill(pid, syscall.SIGKILL))
}

// TestDaemonAway has the daemon end and come back, and a machine end meanwhile.
func TestDaemonAway(t *testing.T) {
	s, n := realSite(t), newTenant(t)
	e, err := New(s.config())
	must(t, err)
	stays, dies := n.machine(t, newID(t)), n.machine(t, newID(t))
	launch(t, e, stays, dies)

	ended := make(chan error, 1)
	first := make(chan engine.Sighting, 100)
	go func() { ended <- e.Run(t.Context(), func(s engine.Sighting) { first <- s }) }()
	<-first
	s.control(t, "kill")
	if err := <-ended; cloud.CodeOf(err) != cloud.CodeUnavailable {
		t.Errorf("Run without the daemon returned %v", err)
	}
	for name, err := range map[string]error{
		"Run":     e.Run(t.Context(), func(engine.Sighting) {}),
		"Prepare": e.Prepare(t.Context(), n.machine(t, newID(t))),
		"Start":   e.Start(t.Context(), stays),
		"Stop":    e.Stop(t.Context(), stays, time.Second),
		"Delete":  e.Delete(t.Context(), stays),
	} {
		if cloud.CodeOf(err) != cloud.CodeUnavailable {
			t.Errorf("%s without the daemon: %v", name, err)
		}
	}
	if survey, err := e.Survey(t.Context()); err != nil || len(survey.Heard) > 0 {
		t.Errorf("Survey without the daemon heard %v, %v", survey.Heard, err)
	}
	killMachine(t, domainName(dies))
	s.control(t, "start")
	if got := surveyed(t, e, stays.ID); got != engine.PowerOn {
		t.Errorf("the machine that stayed is seen as %s", got)
	}
	if got := surveyed(t, e, dies.ID); got != engine.PowerFailed {
		t.Errorf("the machine that was killed is seen as %s", got)
	}
}

// TestHangUp has a region hang up while it asks much, as it does when it is
// killed: libvirtd, and so who else is connected, goes on. Where it does not, it is
// a matter of chance how often it takes.
func TestHangUp(t *testing.T) {
	s := realSite(t)
	other := watch(t, s.config())
	for n := range 1000 {
		hangUp(t, s.config())
		if len(other.ended) > 0 {
			t.Fatalf("libvirtd died of hanging up, the %dth time", n+1)
		}
	}
}

// hangUp is the short life of an engine that listens, and asks from many sides.
func hangUp(t *testing.T, c Config) {
	t.Helper()
	e, err := New(c)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	heard := func() bool {
		s, err := e.Survey(ctx)
		return err == nil && len(s.Heard) > 0
	}
	var all sync.WaitGroup
	all.Go(func() { _ = e.Run(ctx, func(engine.Sighting) {}) }) // it may end in any way
	for range 7 {
		all.Go(func() {
			for heard() {
			}
		})
	}
	for range 20 {
		heard()
	}
	e.link.cut()
	cancel()
	all.Wait()
}

// TestProjectsDoNotMeet has machines of two projects look for each other, and
// for the host.
func TestProjectsDoNotMeet(t *testing.T) {
	for _, routed := range []bool{false, true} {
		t.Run(fmt.Sprintf("routed %v", routed), func(t *testing.T) {
			s, n := realSite(t), newTenant(t)
			c := s.config()
			c.Network.Routed = routed
			e, err := New(c)
			must(t, err)
			project := newID(t)
			here, beside, elsewhere := n.machine(t, project), n.machine(t, project), n.machine(t, newID(t))
			launch(t, e, here, beside, elsewhere)
			for _, m := range []engine.Machine{here, beside, elsewhere} {
				n.logsIn(t, m.IP, "true")
			}
			reaches := func(address string) bool {
				_, err := n.run(here.IP, "nc -w 2 "+address+" 22 </dev/null | grep -q SSH")
				return err == nil
			}
			if !reaches(beside.IP) {
				t.Error("a machine does not reach its own project's")
			}
			if reaches(elsewhere.IP) {
				t.Error("a machine reaches another project's")
			}
			// Even when it has the host carry it there.
			if _, err := n.run(here.IP, "ip route add "+elsewhere.IP+"/32 via 10.64.0.1"); err != nil {
				t.Fatal(err)
			}
			if reaches(elsewhere.IP) {
				t.Error("a machine reaches another project's through the host")
			}
			listener, err := net.Listen("tcp4", "0.0.0.0:22")
			must(t, err)
			defer listener.Close()
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					fmt.Fprintln(conn, "SSH of the host")
					conn.Close()
				}
			}()
			if reaches("10.64.0.1") {
				t.Error("a machine reaches the host's own services")
			}
			if _, err := n.run(here.IP, "ping -c 1 -W 2 10.64.0.1"); err != nil {
				t.Errorf("the gateway does not answer a ping: %v", err)
			}
			// It takes another address of its own project, and is not heard.
			spoof := "ip address add 10.64.9.9/16 dev eth0; ping -c 1 -W 2 -I 10.64.9.9 " + beside.IP
			if out, err := n.run(here.IP, spoof); err == nil {
				t.Errorf("a machine speaks as another: %s", out)
			}
		})
	}
}

// TestConformance holds the engine to what all engines are held to. Machines
// are given less time to turn themselves off than they take to boot, so that
// only one of its stories waits until one has: TestLifeOfAMachine sees them obey.
func TestConformance(t *testing.T) {
	realSite(t)
	enginetest.TestEngine(t, enginetest.Subject{Begin: beginStory, Serial: true})
}

func beginStory(t *testing.T) enginetest.Bench {
	t.Helper()
	s, n := realSite(t), newTenant(t)
	t.Cleanup(func() { leftNothing(t, s) })
	project := newID(t)
	return enginetest.Bench{
		Open: func(t *testing.T) engine.Engine {
			e, err := New(s.config())
			must(t, err)
			return e
		},
		Machine: func(t *testing.T) engine.Machine { return n.machine(t, project) },
		Kill:    func(t *testing.T, m engine.Machine) { killMachine(t, domainName(m)) },
		PowerOff: func(t *testing.T, m engine.Machine) {
			n.logsIn(t, m.IP, "true")
			n.run(m.IP, "poweroff -f") // which ends before it can say that it did
		},
		Vanish: func(t *testing.T, m engine.Machine) {
			virsh(t, "destroy", domainName(m))
			virsh(t, "undefine", domainName(m))
		},
		Grace:    time.Second,
		Patience: 3 * 5 * time.Second, // in which it is tried three times
	}
}

func domainName(m engine.Machine) string { return domainPrefix + string(m.ID) }
