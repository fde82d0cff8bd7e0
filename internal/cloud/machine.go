package cloud

import "time"

// Goal is what is wanted of a machine.
type Goal string

// The goals.
const (
	GoalRunning Goal = "running"
	GoalStopped Goal = "stopped"
	GoalDeleted Goal = "deleted"
)

// Machine is an instance in the region that owns it: what its tenant asked
// for, what is wanted of it now, and what was observed last.
type Machine struct {
	ID             ID
	OrganizationID ID
	ProjectID      ID
	MachineSpec
	CreatedBy ID // the user or service account that asked for it; "" for the program itself
	CreatedAt time.Time

	Goal  Goal
	State InstanceState // what its tenant is shown
	// Reason says in words why it is in error, or what else its tenant should
	// know: that it was preempted, say. "" for nothing.
	Reason string

	Host     string   // where its disk is; "" until it was placed for the first time
	Placed   bool     // it holds its share of the host
	GPUs     []string // addresses of those that it holds
	IP       string   // held until it is deleted; "" until it was placed for the first time
	Prepared bool     // the engine has it, started or not
}

// MachineSpec is what a tenant asked for. It does not change; nor does the
// type, whatever becomes of the region's configuration.
type MachineSpec struct {
	Name        string
	Type        InstanceType
	Image       string
	Preemptible bool
	Ephemeral   bool
	UserData    *string // base64, as it was sent; nil for none
	Filesystems []ID
	Tags        Tags
	SSHKeys     []string // lines of the keys that its creator had
}

// Yielding reports whether it has a share of a host that it may lose or is about
// to give back.
func (m Machine) Yielding() bool { return m.Placed && (m.Preemptible || m.Goal != GoalRunning) }

// Report is what the plane is told of the machine. Its host vouches for it, and
// the region itself while it has none.
func (m Machine) Report() InstanceReport {
	source := m.Host
	if source == "" {
		source = SourceRegion
	}
	fault := ""
	if m.State == InstanceError {
		fault = m.Reason
	}
	return InstanceReport{
		OrganizationID: m.OrganizationID, ProjectID: m.ProjectID, Name: m.Name, Type: m.Type.Name,
		State: m.State, IP: m.IP, Image: m.Image, Preemptible: m.Preemptible, Ephemeral: m.Ephemeral,
		Tags: m.Tags, Source: source, Fault: fault,
	}
}

// SourceRegion vouches for machines that have no host yet.
const SourceRegion = "region"

// Filesystem is storage that a project's instances share.
type Filesystem struct {
	ID        ID
	ProjectID ID
	Name      string
	Size      Bytes
	State     FilesystemState
	CreatedAt time.Time
}

// FilesystemState is where a filesystem is in its life. Tenants do not see it.
type FilesystemState string

// The states. A filesystem that is not active is one that its engine may have
// or not; it is removed.
const (
	FilesystemCreating FilesystemState = "creating"
	FilesystemActive   FilesystemState = "active"
	FilesystemDeleting FilesystemState = "deleting"
)

// Span is a time during which a machine was started, or was stopped: what its
// owner pays for.
type Span struct {
	ID             ID
	MachineID      ID
	OrganizationID ID
	ProjectID      ID
	Type           string
	Started        bool
	From           time.Time
	To             time.Time // zero while it lasts
}
