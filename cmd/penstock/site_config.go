package main

import (
	_ "embed"
	"fmt"
	"net/netip"
	"os"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine/simulated"
	"github.com/penstock-cloud/penstock/internal/region"
)

// siteFile is what an operator writes down of a region. docs/region.md describes
// it.
type siteFile struct {
	Addresses  netip.Prefix              `json:"addresses"`
	Types      []typeEntry               `json:"types"`
	Quotas     []quotaEntry              `json:"quotas"`
	Kubernetes []cloud.KubernetesCluster `json:"kubernetes"`
	Slurm      []cloud.SlurmCluster      `json:"slurm"`
	Simulated  *simulatedEntry           `json:"simulated"`
	Libvirt    *libvirtEntry             `json:"libvirt"`

	TrustedIssuers []trustedEntry `json:"trusted_issuers"`
}

type typeEntry struct {
	Name     string   `json:"name"`
	CPU      int      `json:"cpu"`
	Memory   quantity `json:"memory"`
	GPUModel string   `json:"gpu_model"`
	GPUCount int      `json:"gpu_count"`
}

type quotaEntry struct {
	Organization cloud.ID `json:"organization"`
	Type         string   `json:"type"`
	Most         int64    `json:"most"`
}

type simulatedEntry struct {
	Hosts  []simulatedHost `json:"hosts"`
	Images []string        `json:"images"`
	Delays struct {
		Prepare spanEntry `json:"prepare"`
		Start   spanEntry `json:"start"`
		Stop    spanEntry `json:"stop"`
		Delete  spanEntry `json:"delete"`
	} `json:"delays"`
	Faults struct {
		Prepare      float64   `json:"prepare"`
		Start        float64   `json:"start"`
		Stop         float64   `json:"stop"`
		Delete       float64   `json:"delete"`
		Hang         float64   `json:"hang"`
		HangFor      spanEntry `json:"hang_for"`
		Deaf         float64   `json:"deaf"`
		CrashEvery   duration  `json:"crash_every"`
		SilenceEvery duration  `json:"silence_every"`
		SilenceFor   spanEntry `json:"silence_for"`
	} `json:"faults"`
	Seed          uint64          `json:"seed"`
	Demonstration []instanceEntry `json:"demonstration"`
}

// instanceEntry is an instance of the demonstration; there may be several that
// are like it.
type instanceEntry struct {
	Name        string     `json:"name"`
	Type        string     `json:"type"`
	Image       string     `json:"image"`
	Preemptible bool       `json:"preemptible"`
	Ephemeral   bool       `json:"ephemeral"`
	Tags        cloud.Tags `json:"tags"`
}

// simulatedHost has GPUs of one model, whose addresses are made up.
type simulatedHost struct {
	Name     string   `json:"name"`
	CPU      int      `json:"cpu"`
	Memory   quantity `json:"memory"`
	GPUModel string   `json:"gpu_model"`
	GPUCount int      `json:"gpu_count"`
}

type libvirtEntry struct {
	Socket      string   `json:"socket"`
	Folder      string   `json:"folder"`
	Filesystems string   `json:"filesystems"`
	Images      string   `json:"images"`
	DiskSize    quantity `json:"disk_size"`
	Host        struct {
		Name   string      `json:"name"`
		CPU    int         `json:"cpu"`
		Memory quantity    `json:"memory"`
		GPUs   []cloud.GPU `json:"gpus"`
	} `json:"host"`
	Nameservers []netip.Addr `json:"nameservers"`
	Routed      bool         `json:"routed"`
	Emulate     bool         `json:"emulate"`
}

// maxSimulatedGPUs is how many a simulated host has at most.
const maxSimulatedGPUs = 256

// quantity is an amount of memory or storage, as 512Gi.
type quantity cloud.Bytes

// UnmarshalText implements encoding.TextUnmarshaler.
func (q *quantity) UnmarshalText(text []byte) error {
	size, err := cloud.ParseBytes("a quantity", string(text))
	*q = quantity(size)
	return err
}

// duration is one as Go writes it: 1m30s.
type duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

type spanEntry struct {
	From duration `json:"from"`
	To   duration `json:"to"`
}

func (s spanEntry) span() simulated.Span {
	return simulated.Span{From: time.Duration(s.From), To: time.Duration(s.To)}
}

//go:embed region.default.yaml
var defaultSiteFile []byte

// maxSiteFile bounds what is read of a region's configuration, in bytes.
const maxSiteFile = 16 << 20

// readSiteFile reads a region's configuration; "" for the one that is built in.
// A field that is not known is refused: it would be one that does not hold.
func readSiteFile(name string) (siteFile, error) {
	var f siteFile
	text := defaultSiteFile
	if name != "" {
		info, err := os.Stat(name)
		if err == nil && info.Size() > maxSiteFile {
			err = fmt.Errorf("%s is over %d bytes", name, maxSiteFile)
		}
		if err != nil {
			return f, fmt.Errorf("--config: %w", err)
		}
		if text, err = os.ReadFile(name); err != nil {
			return f, fmt.Errorf("--config: %w", err)
		}
	}
	if err := yaml.UnmarshalStrict(text, &f); err != nil {
		return f, fmt.Errorf("--config %s: %w", name, err)
	}
	if err := f.check(); err != nil {
		return f, fmt.Errorf("--config %s: %w", name, err)
	}
	return f, nil
}

func (f siteFile) check() error {
	if f.Simulated != nil {
		for i, h := range f.Simulated.Hosts {
			if h.GPUCount < 0 || h.GPUCount > maxSimulatedGPUs {
				return cloud.Invalid("simulated.hosts[%d]: gpu_count is 0 to %d; got %d", i, maxSimulatedGPUs, h.GPUCount)
			}
		}
	}
	if len(f.Types) == 0 {
		return cloud.Invalid("types: a region offers at least one type of instance")
	}
	seen := map[string]bool{}
	for i, t := range f.Types {
		switch {
		case cloud.CheckThingName("name", t.Name) != nil || seen[t.Name]:
			return cloud.Invalid("types[%d]: every type has a name of its own; got %q", i, t.Name)
		case t.CPU < 1 || t.Memory < 1:
			return cloud.Invalid("types[%d]: %s needs cpu and memory", i, t.Name)
		case t.GPUCount < 0 || (t.GPUCount > 0) != (t.GPUModel != ""):
			return cloud.Invalid("types[%d]: %s has either both gpu_model and gpu_count, or neither", i, t.Name)
		}
		seen[t.Name] = true
	}
	if f.Simulated != nil {
		for i, e := range f.Simulated.Demonstration {
			if !seen[e.Type] {
				return cloud.Invalid("simulated.demonstration[%d]: the type must be one of types; got %q", i, e.Type)
			}
		}
	}
	for i, q := range f.Quotas {
		if _, err := cloud.ParseID(string(q.Organization)); q.Organization != "" && err != nil {
			return cloud.About(fmt.Sprintf("quotas[%d].organization", i), err)
		}
		if !seen[q.Type] || q.Most < 0 {
			return cloud.Invalid("quotas[%d]: names one of the types, and most is at least 0; got %q and %d", i, q.Type, q.Most)
		}
	}
	return nil
}

// demonstrates tells whether an engine has anything to demonstrate.
func (f siteFile) demonstrates(engine string) bool {
	return engine == "simulated" && f.Simulated != nil && len(f.Simulated.Demonstration) > 0
}

// demonstration is that many instances, of every entry in turn.
func (s simulatedEntry) demonstration(fleet int) []region.NewInstance {
	instances := make([]region.NewInstance, fleet)
	for i := range instances {
		e, turn := s.Demonstration[i%len(s.Demonstration)], i/len(s.Demonstration)+1
		instances[i] = region.NewInstance{
			Name: fmt.Sprintf("%s-%d", e.Name, turn), Type: e.Type, Image: e.Image,
			Preemptible: e.Preemptible, Ephemeral: e.Ephemeral, Tags: e.Tags,
		}
	}
	return instances
}

func (f siteFile) types() []cloud.InstanceType {
	types := make([]cloud.InstanceType, len(f.Types))
	for i, t := range f.Types {
		types[i] = cloud.InstanceType{Name: t.Name, CPU: t.CPU, Memory: cloud.Bytes(t.Memory), GPUModel: t.GPUModel, GPUCount: t.GPUCount}
	}
	return types
}

func (f siteFile) quotas() region.Quotas {
	quotas := make(region.Quotas, len(f.Quotas))
	for i, q := range f.Quotas {
		quotas[i] = region.Quota{OrganizationID: q.Organization, Type: q.Type, Most: q.Most}
	}
	return quotas
}
