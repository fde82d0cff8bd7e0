package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// machineRow is what a region does with simulated machines, beside the row that
// has a ratio.
const machineRow = "machines: their life"

// machineFigures is what a region does that runs machines.
type machineFigures struct {
	Machines int `json:"machines"`
	Hosts    int `json:"hosts"`

	// Through the API, as in production.
	Creates float64 `json:"creates_per_second"` // while those before are being started
	Starts  float64 `json:"starts_per_second"`  // from the first create until all run
	Behind  float64 `json:"plane_behind_seconds"`

	// One look at everything, in milliseconds.
	FirstPass float64 `json:"first_pass_millis"` // after a start: every machine is taken in
	FullPass  float64 `json:"full_pass_millis"`  // every machine that is written down is compared
	QuietPass float64 `json:"quiet_pass_millis"` // what is seen is compared with what was seen before

	Carried float64 `json:"changes_carried_per_second"`
}

const (
	machineType  = "gpu.1x"
	gpusOfHost   = 8
	editorOfBoth = "editor@bench.example"
)

// siteBench is a plane, and a region as it runs in production, with hosts that
// have room for just so many machines of one GPU.
type siteBench struct {
	settings
	plane      *plane
	binary     string
	dir        string // of the region
	credential cloud.Secret
	machines   int
	process    *child
	api, ops   string // of the region; URLs
	header     http.Header
	owner      cloud.ID // the organization
	projects   []string
}

// measureMachines measures a region with that many machines. The row is that of
// one project's list.
func measureMachines(ctx context.Context, s settings, binary, dir string, list []*row) (f *machineFigures, err error) {
	b := &siteBench{
		settings: s, binary: binary, dir: filepath.Join(dir, "region"), machines: 10 * organizationSize,
		credential: cloud.NewSecret("psr_" + string(newID())),
	}
	if s.short {
		b.machines = organizationSize
	}
	if err := b.start(ctx, dir); err != nil {
		return nil, err
	}
	defer b.plane.stop()
	defer func() { b.process.stop() }()
	f = &machineFigures{Machines: b.machines, Hosts: b.hosts()}
	if err := b.fill(ctx, f); err != nil {
		return nil, fmt.Errorf("create machines: %w", err)
	}
	for _, r := range list {
		if err := b.measureList(ctx, r); err != nil {
			return nil, fmt.Errorf("%s: %w", r.Name, err)
		}
	}
	b.process.stop()
	return f, b.measureInside(ctx, f)
}

func (b *siteBench) hosts() int { return b.machines / gpusOfHost }

// start starts the plane, and the region, which reports to it.
func (b *siteBench) start(ctx context.Context, dir string) error {
	if err := os.MkdirAll(b.dir, 0o700); err != nil {
		return err
	}
	regions := []tenantRegion{{name: region1, credential: b.credential}}
	owners, err := loadTenants(ctx, filepath.Join(dir, "plane.db"), organizationSize, regions)
	if err != nil {
		return err
	}
	b.owner = owners[0]
	b.plane = &plane{binary: b.binary, dir: dir}
	if err := b.plane.start(ctx); err != nil {
		return err
	}
	if err := b.startRegion(ctx); err != nil {
		b.plane.stop()
		return err
	}
	return nil
}

var regionGreeting = regexp.MustCompile(`serves (http://\S+) and reports`)

func (b *siteBench) startRegion(ctx context.Context) error {
	config, credential := filepath.Join(b.dir, "region.yaml"), filepath.Join(b.dir, "credential")
	text, err := json.Marshal(b.config()) // which is YAML, too
	if err != nil {
		return err
	}
	if err := errors.Join(os.WriteFile(config, text, 0o600), os.WriteFile(credential, []byte(b.credential.Reveal()), 0o600)); err != nil {
		return err
	}
	ops, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	b.process = newChild(ctx, b.binary, "serve", "region", "--name", region1, "--plane", "http://"+b.plane.address(),
		"--credential-file", credential, "--data-dir", b.dir, "--config", config, "--listen", "127.0.0.1:0", "--ops-listen", ops,
		"--rate-limit", unreached)
	log, err := os.Create(filepath.Join(b.dir, "access.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	b.process.cmd.Stderr = log
	if err := b.process.start(); err != nil {
		return err
	}
	line, err := b.process.stdout.ReadString('\n')
	url := regionGreeting.FindStringSubmatch(line)
	if url == nil {
		b.process.stop()
		said, _ := os.ReadFile(log.Name())
		return errors.Join(err, fmt.Errorf("start the region: it said %q: %.1000s", line, said))
	}
	b.api, b.ops = url[1]+"/api/v1alpha1", "http://"+ops
	token, err := b.plane.tokenOf(ctx, editorOfBoth, "editor", largeOrganization)
	b.header = http.Header{"Accept": {"application/json"}, "Authorization": {"Bearer " + token}}
	return err
}

// freeAddress is one where nobody listens just now.
func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// config is the region's configuration.
func (b *siteBench) config() map[string]any {
	hosts := make([]map[string]any, b.hosts())
	for i, h := range b.simulatedHosts() {
		hosts[i] = map[string]any{
			"name": h.Name, "cpu": h.CPU, "memory": h.Memory.String(), "gpu_model": h.GPUs[0].Model, "gpu_count": len(h.GPUs),
		}
	}
	return map[string]any{
		"addresses": addressRange.String(),
		"types":     []map[string]any{{"name": machineType, "cpu": 24, "memory": "240Gi", "gpu_model": gpuModel, "gpu_count": 1}},
		"simulated": map[string]any{"hosts": hosts, "images": []string{"ubuntu22.04"}},
	}
}

// fill has all machines made, in projects of a thousand, and waits until they
// run and the plane says so.
func (b *siteBench) fill(ctx context.Context, f *machineFigures) error {
	for n := range b.machines / organizationSize {
		var made struct{ ID string }
		if err := b.post(ctx, http.DefaultClient, "/projects", "", fmt.Sprintf(`{"name":"project-%d"}`, n), &made); err != nil {
			return err
		}
		b.projects = append(b.projects, made.ID)
	}
	progress("creating %d instances", b.machines)
	stop, err := b.profileRegion(ctx, "machines-create")
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := b.createAll(ctx); err != nil {
		return err
	}
	f.Creates = float64(b.machines) / time.Since(begin).Seconds()
	progress("waiting until they run")
	for _, project := range b.projects {
		if err := b.await(ctx, b.api, project, organizationSize); err != nil {
			return err
		}
	}
	f.Starts = float64(b.machines) / time.Since(begin).Seconds()
	running := time.Now()
	if err := stop(); err != nil {
		return err
	}
	err = b.await(ctx, b.plane.api, "", b.machines)
	f.Behind = time.Since(running).Seconds()
	return err
}

func (b *siteBench) createAll(ctx context.Context) error {
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: b.connections}, Timeout: patience}
	for range b.connections {
		group.Go(func() error {
			for {
				n := int(next.Add(1)) - 1
				if n >= b.machines {
					return nil
				}
				body := fmt.Sprintf(`{"name":"trainer-%d","type":%q,"tags":{"team":"foundation","purpose":"training"}}`, n, machineType)
				if err := b.post(ctx, client, "/instances", b.projects[n%len(b.projects)], body, nil); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

func (b *siteBench) post(ctx context.Context, client *http.Client, path, project, body string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, b.api+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	request.Header = b.headerFor(project)
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusCreated {
		return fmt.Errorf("POST %s is answered with %s: %.500s", path, response.Status, text)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

func (b *siteBench) headerFor(project string) http.Header {
	header := b.header.Clone()
	if project != "" {
		header.Set("X-PROJECT-ID", project)
	}
	return header
}

// await waits until a list has so many running instances.
func (b *siteBench) await(ctx context.Context, api, project string, n int) error {
	ctx, cancel := context.WithTimeout(ctx, 5*startPatience)
	defer cancel()
	for {
		a, err := get(ctx, api+"/instances", b.headerFor(project))
		if err != nil || a.Status != http.StatusOK {
			return errors.Join(err, fmt.Errorf("the list is answered with %d: %.500s", a.Status, a.Body))
		}
		running := bytes.Count(a.Body, []byte(`"state":"running"`))
		if running == n {
			return nil
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("%d of %d run: %w", running, n, err)
		}
	}
}

// measureList measures a project's list against a bare handler.
func (b *siteBench) measureList(ctx context.Context, r *row) error {
	header := b.headerFor(b.projects[0])
	recorded, err := get(ctx, b.api+"/instances", header)
	if err != nil {
		return err
	}
	if n := bytes.Count(recorded.Body, []byte(`"state":"running"`)); n != organizationSize || recorded.Status != http.StatusOK {
		return fmt.Errorf("the region answers %d with %d instances", recorded.Status, n)
	}
	request, err := rawRequest(b.api+"/instances", header)
	if err != nil {
		return err
	}
	bare, err := startBare(ctx, []answer{recorded})
	if err != nil {
		return err
	}
	defer bare.stop()
	address := strings.TrimPrefix(strings.TrimSuffix(b.api, "/api/v1alpha1"), "http://")
	r.BodyBytes, r.ops = int64(len(recorded.Body)), b.ops
	r.ours = newLoad(address, b.process.pid(), request, recorded, b.connections)
	r.base = newLoad(bare.addresses[0], bare.pid(), request, recorded, b.connections)
	if err := measure(ctx, []*row{r}, b.settings); err != nil {
		return err
	}
	return profile(ctx, []*row{r}, b.settings)
}

// profileRegion has the region profile itself for a while. The function that it
// returns waits for the end of that.
func (b *siteBench) profileRegion(ctx context.Context, name string) (wait func() error, err error) {
	if b.profiles == "" {
		return func() error { return nil }, nil
	}
	if err := os.MkdirAll(b.profiles, 0o750); err != nil {
		return nil, err
	}
	var group errgroup.Group
	group.Go(func() error {
		return writeProfile(ctx, b.ops, filepath.Join(b.profiles, name+".pprof"))
	})
	return group.Wait, nil
}

func (f *machineFigures) write(w io.Writer) {
	fmt.Fprintf(w, "\nA region of %d simulated machines on %d hosts: %.0f creates/s, %.0f/s from created to running; the plane has all %.1f s later.\n",
		f.Machines, f.Hosts, f.Creates, f.Starts, f.Behind)
	fmt.Fprintf(w, "A pass over all machines: %.0f ms compared with what is written down, %.1f ms with what was seen before, %.0f ms after a start.\n",
		f.FullPass, f.QuietPass, f.FirstPass)
	fmt.Fprintf(w, "Its changes are carried to the plane at %.0f/s.\n", f.Carried)
}
