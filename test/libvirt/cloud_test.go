package libvirt

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/client/infrastructure"
	"github.com/penstock-cloud/penstock/client/management"
)

// site is a region's configuration. Its host has room for what the tests run,
// which is more than it has.
const site = `
addresses: 10.64.0.0/16
types:
  - {name: cpu.tiny, cpu: 1, memory: 160Mi}
libvirt:
  socket: %q
  folder: %q
  images: %q
  disk_size: 64Mi
  emulate: true
  host: {name: host-1, cpu: 16, memory: 16Gi}
`

// penstock is a cloud of one plane and one region, each a process of its own,
// and its first organization's admin, who calls both.
type penstock struct {
	*testing.T
	logs           string   // the folder of the processes' logs
	folder         string   // of machines
	serving        []string // how the region is started
	region         *server
	planeURL       string
	regionURL      string
	management     *management.ClientWithResponses
	infrastructure *infrastructure.ClientWithResponses
}

// begin sets a cloud up as docs/region.md has an operator do it. The tests do
// not run side by side: they look at all that is on the host.
func begin(t *testing.T) *penstock {
	t.Helper()
	if os.Getenv("PENSTOCK_TEST_LIBVIRT") != "1" {
		t.Skip("needs a libvirtd of its own: run make test-libvirt")
	}
	dir := t.TempDir()
	p := &penstock{
		T: t, logs: dir, folder: filepath.Join(dir, "machines"),
		planeURL: "http://" + freeAddress(t), regionURL: "http://" + freeAddress(t),
	}
	t.Cleanup(p.afterFailure)

	plane := filepath.Join(dir, "plane")
	serve(t, filepath.Join(dir, "plane.log"), "serve", "plane", "--data-dir", plane,
		"--listen", p.planeURL[len("http://"):], "--ops-listen", "")
	run(t, "admin", "--data-dir", plane, "org", "create", "acme")
	credential := filepath.Join(dir, "credential")
	p.write(credential, run(t, "admin", "--data-dir", plane, "region", "create", "real-1", "--url", p.regionURL))
	config := filepath.Join(dir, "region.yaml")
	p.write(config, fmt.Sprintf(site, os.Getenv("PENSTOCK_TEST_LIBVIRT_SOCKET"), p.folder, os.Getenv("PENSTOCK_TEST_LIBVIRT_IMAGES")))

	p.serving = []string{
		"serve", "region", "--name", "real-1", "--plane", p.planeURL, "--credential-file", credential,
		"--engine", "libvirt", "--config", config, "--data-dir", filepath.Join(dir, "region"),
		"--listen", p.regionURL[len("http://"):], "--ops-listen", "",
	}
	p.startRegion()
	p.callers(run(t, "admin", "--data-dir", plane, "token", "create", "--email", "ada@example.com", "--role", "admin"))
	return p
}

func (p *penstock) startRegion() {
	p.Helper()
	p.region = serve(p.T, filepath.Join(p.logs, "region.log"), p.serving...)
}

func (p *penstock) write(path, text string) {
	p.Helper()
	must(p.T, os.WriteFile(path, []byte(text), 0o600))
}

// callers makes the clients, which know nothing of the cloud but the plane's URL
// and where that says that the region is.
func (p *penstock) callers(token string) {
	p.Helper()
	authorize := func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token)
		return nil
	}
	// A connection that was kept would outlive the region that it is to.
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	var err error
	p.management, err = management.NewClientWithResponses(p.planeURL+"/api/v1alpha1",
		management.WithHTTPClient(client), management.WithRequestEditorFn(authorize))
	must(p.T, err)
	regions, err := p.management.ListRegionsWithResponse(p.Context(), nil)
	must(p.T, err)
	if regions.JSON200 == nil || len(*regions.JSON200) != 1 {
		p.Fatalf("GET /regions: %s", regions.Body)
	}
	p.infrastructure, err = infrastructure.NewClientWithResponses((*regions.JSON200)[0].URL+"/api/v1alpha1",
		infrastructure.WithHTTPClient(client), infrastructure.WithRequestEditorFn(authorize))
	must(p.T, err)
}

// afterFailure shows what the processes had to say, and clears away what would
// have the next test fail too.
func (p *penstock) afterFailure() {
	if !p.Failed() {
		return
	}
	for _, id := range p.domains() {
		_ = exec.Command("virsh", "--connect", "qemu:///system", "destroy", id).Run() // it may be off
		_ = exec.Command("virsh", "--connect", "qemu:///system", "undefine", id).Run()
	}
	_ = exec.Command("nft", "flush", "set", "bridge", "penstock", "guests").Run()
	for _, name := range []string{"plane.log", "region.log"} {
		text, err := os.ReadFile(filepath.Join(p.logs, name))
		p.Logf("%s: %v\n%s", name, err, text[max(0, len(text)-20_000):])
	}
}

// freeAddress is one that nobody listens on, in a network that is the tests' own.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}
