package cloud

import (
	"net/netip"
	"net/url"
	"slices"
	"time"
)

// KubernetesCluster is a cluster that a region's operator declares: the region
// shows it to its project, and does not run it. The JSON is that of the
// region's configuration.
type KubernetesCluster struct {
	ID             ID                   `json:"id"`
	OrganizationID ID                   `json:"organization_id"`
	ProjectID      ID                   `json:"project_id"`
	Name           string               `json:"name"`
	Version        string               `json:"version"`
	Endpoint       string               `json:"endpoint,omitempty"`   // the URL of its API; "" if it is not told
	Kubeconfig     string               `json:"kubeconfig,omitempty"` // a file, with what opens it to its tenants; "" for none
	NodePools      []KubernetesNodePool `json:"node_pools,omitempty"`
}

// KubernetesNodePool is the nodes of a Kubernetes cluster that are of one type.
type KubernetesNodePool struct {
	ID      ID               `json:"id"`
	Name    string           `json:"name"`
	Type    string           `json:"type"`  // of instance
	Count   int              `json:"count"` // how many nodes it is to have; 0 to MaxPoolNodes
	Version string           `json:"version"`
	Nodes   []KubernetesNode `json:"nodes,omitempty"`
}

// KubernetesNode is an instance, as its Kubernetes cluster sees it.
type KubernetesNode struct {
	Name           string                    `json:"name"`
	InstanceID     ID                        `json:"instance_id"`
	State          KubernetesNodeState       `json:"state"`
	KubeletVersion string                    `json:"kubelet_version"`
	CreatedAt      time.Time                 `json:"created_at"`
	Conditions     []KubernetesNodeCondition `json:"conditions,omitempty"`
	Accelerator    *KubernetesAccelerator    `json:"accelerator,omitempty"` // nil for none
	Labels         map[string]string         `json:"labels,omitempty"`
	Taints         []KubernetesTaint         `json:"taints,omitempty"`
}

// KubernetesNodeState is whether a node takes work.
type KubernetesNodeState string

// The states, as clients of the Infrastructure API spell them.
const (
	KubernetesNodeReady    KubernetesNodeState = "ready"
	KubernetesNodeNotReady KubernetesNodeState = "not_ready"
	KubernetesNodeUnknown  KubernetesNodeState = "unknown"
)

// KubernetesNodeCondition is one thing that a cluster says of a node.
type KubernetesNodeCondition struct {
	Type           string    `json:"type"`
	Status         string    `json:"status"`           // True, False or Unknown
	HeartbeatAt    time.Time `json:"heartbeat_at"`     // zero if it is not told
	TransitionedAt time.Time `json:"transitioned_at"`  // zero if it is not told
	Reason         string    `json:"reason,omitempty"` // "" for none, as the message
	Message        string    `json:"message,omitempty"`
}

// KubernetesAccelerator is what a node computes with beside its processors.
type KubernetesAccelerator struct {
	Type          string `json:"type"` // AcceleratorNVIDIA
	Product       string `json:"product"`
	DriverVersion string `json:"driver_version"`
}

// AcceleratorNVIDIA is the one type of accelerator that clients know.
const AcceleratorNVIDIA = "nvidia/gpu"

// KubernetesTaint keeps work away from a node.
type KubernetesTaint struct {
	Key    string `json:"key"`
	Value  string `json:"value,omitempty"`
	Effect string `json:"effect"`
}

// SlurmCluster is a cluster that a region's operator declares, as for
// KubernetesCluster.
type SlurmCluster struct {
	ID             ID               `json:"id"`
	OrganizationID ID               `json:"organization_id"`
	ProjectID      ID               `json:"project_id"`
	Name           string           `json:"name"`
	Version        string           `json:"version"`
	LoginNodes     []SlurmLoginNode `json:"login_nodes,omitempty"`
	NodePools      []SlurmNodePool  `json:"node_pools,omitempty"`
}

// SlurmLoginNode is where users of a Slurm cluster log in.
type SlurmLoginNode struct {
	Name     string `json:"name"`
	PublicIP string `json:"public_ip,omitempty"` // "" for none
}

// SlurmNodePool is the nodes of a Slurm cluster that are of one type.
type SlurmNodePool struct {
	ID    ID          `json:"id"`
	Name  string      `json:"name"`
	Type  string      `json:"type"`  // of instance
	Count int         `json:"count"` // how many nodes it is to have; 0 to MaxPoolNodes
	Nodes []SlurmNode `json:"nodes,omitempty"`
}

// SlurmNode is an instance, as its Slurm cluster sees it.
type SlurmNode struct {
	Name          string   `json:"name"`
	InstanceID    ID       `json:"instance_id"`
	States        []string `json:"states,omitempty"` // as Slurm spells them: IDLE, DRAIN
	SlurmdVersion string   `json:"slurmd_version"`
}

// MaxPoolNodes bounds how many nodes a pool has.
const MaxPoolNodes = 10_000

// Check says what is wrong with what is declared, if anything.
func (c KubernetesCluster) Check() error {
	if err := checkDeclared(c.ID, c.OrganizationID, c.ProjectID, c.Name); err != nil {
		return err
	}
	if endpoint, err := url.Parse(c.Endpoint); c.Endpoint != "" && (err != nil || endpoint.Scheme != "https" || endpoint.Host == "") {
		return Invalid("endpoint must be a URL at https://; got %s", quoted(c.Endpoint))
	}
	for i, pool := range c.NodePools {
		if err := pool.check(); err != nil {
			return About(place("node_pools", i), err)
		}
	}
	return checkWords(c.Version)
}

func (p KubernetesNodePool) check() error {
	if err := checkPool(p.ID, p.Name, p.Type, p.Count, len(p.Nodes)); err != nil {
		return err
	}
	for i, node := range p.Nodes {
		if err := node.check(); err != nil {
			return About(place("nodes", i), err)
		}
	}
	return checkWords(p.Version)
}

func (n KubernetesNode) check() error {
	if err := checkNode(n.Name, n.InstanceID); err != nil {
		return err
	}
	if states := []KubernetesNodeState{KubernetesNodeReady, KubernetesNodeNotReady, KubernetesNodeUnknown}; !slices.Contains(states, n.State) {
		return Invalid("state must be one of ready, not_ready, unknown; got %s", quoted(string(n.State)))
	}
	for _, condition := range n.Conditions {
		if !slices.Contains([]string{"True", "False", "Unknown"}, condition.Status) {
			return Invalid("the status of condition %s must be one of True, False, Unknown; got %s", quoted(condition.Type), quoted(condition.Status))
		}
	}
	if n.Accelerator != nil && n.Accelerator.Type != AcceleratorNVIDIA {
		return Invalid("the type of the accelerator must be %s; got %s", AcceleratorNVIDIA, quoted(n.Accelerator.Type))
	}
	if n.CreatedAt.IsZero() {
		return Invalid("created_at is missing; give when the node joined")
	}
	return checkWords(n.KubeletVersion)
}

// Check says what is wrong with what is declared, if anything.
func (c SlurmCluster) Check() error {
	if err := checkDeclared(c.ID, c.OrganizationID, c.ProjectID, c.Name); err != nil {
		return err
	}
	for i, node := range c.LoginNodes {
		if err := node.check(); err != nil {
			return About(place("login_nodes", i), err)
		}
	}
	for i, pool := range c.NodePools {
		if err := pool.check(); err != nil {
			return About(place("node_pools", i), err)
		}
	}
	return checkWords(c.Version)
}

func (n SlurmLoginNode) check() error {
	if _, err := netip.ParseAddr(n.PublicIP); n.PublicIP != "" && err != nil {
		return Invalid("public_ip is no address: %s", quoted(n.PublicIP))
	}
	return CheckThingName("name", n.Name)
}

func (p SlurmNodePool) check() error {
	if err := checkPool(p.ID, p.Name, p.Type, p.Count, len(p.Nodes)); err != nil {
		return err
	}
	for i, node := range p.Nodes {
		if err := checkNode(node.Name, node.InstanceID); err != nil {
			return About(place("nodes", i), err)
		}
		if err := checkWords(slices.Concat(node.States, []string{node.SlurmdVersion})...); err != nil {
			return About(place("nodes", i), err)
		}
	}
	return nil
}

func checkDeclared(id, organization, project ID, name string) error {
	if err := checkCanonical("id", id); err != nil {
		return err
	}
	if err := checkCanonical("organization_id", organization); err != nil {
		return err
	}
	if err := checkCanonical("project_id", project); err != nil {
		return err
	}
	return CheckThingName("name", name)
}

func checkPool(id ID, name, typeName string, count, nodes int) error {
	if err := checkCanonical("id", id); err != nil {
		return err
	}
	if err := CheckThingName("name", name); err != nil {
		return err
	}
	if count < 0 || count > MaxPoolNodes || nodes > MaxPoolNodes {
		return Invalid("a node pool has 0 to %d nodes; got a count of %d and %d nodes", MaxPoolNodes, count, nodes)
	}
	if typeName == "" {
		return Invalid("type is missing; name the instance type of the nodes")
	}
	return checkWords(typeName)
}

func checkNode(name string, instance ID) error {
	if name == "" {
		return Invalid("name is missing; give what the cluster calls the node")
	}
	if err := checkWords(name); err != nil {
		return err
	}
	return checkCanonical("instance_id", instance)
}

func checkCanonical(field string, id ID) error {
	if err := id.checkForm(); err != nil {
		return About(field, err)
	}
	return nil
}

func checkWords(words ...string) error {
	for _, word := range words {
		if len(word) > maxReportText || !printable(word) {
			return Invalid("texts are printable and at most %d bytes; got %s", maxReportText, quoted(word))
		}
	}
	return nil
}
