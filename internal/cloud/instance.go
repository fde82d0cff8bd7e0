package cloud

import (
	"encoding/json"
	"net/netip"
	"slices"
	"time"
)

// InstanceState is where an instance is in its life, as its region said last.
type InstanceState string

// The states, as the contract's enum spells them.
const (
	InstanceCreating   InstanceState = "creating"
	InstanceStarting   InstanceState = "starting"
	InstanceRunning    InstanceState = "running"
	InstanceStopping   InstanceState = "stopping"
	InstanceStopped    InstanceState = "stopped"
	InstanceDeleting   InstanceState = "deleting"
	InstanceOutOfStock InstanceState = "out-of-stock"
	InstanceError      InstanceState = "error"
)

// InstanceStates lists the states in the contract's order.
var InstanceStates = []InstanceState{
	InstanceCreating, InstanceStarting, InstanceRunning, InstanceStopping,
	InstanceStopped, InstanceDeleting, InstanceOutOfStock, InstanceError,
}

// Passing reports whether the state is one that should lead to another by
// itself.
func (s InstanceState) Passing() bool {
	switch s {
	case InstanceCreating, InstanceStarting, InstanceStopping, InstanceDeleting:
		return true
	case InstanceRunning, InstanceStopped, InstanceOutOfStock, InstanceError:
		return false
	}
	return false
}

// InstanceReport is what a region says of an instance: the body of an Object.
type InstanceReport struct {
	OrganizationID ID                `json:"organization_id"`
	ProjectID      ID                `json:"project_id"`
	Name           string            `json:"name"`
	Type           string            `json:"type"`
	State          InstanceState     `json:"state"`
	IP             string            `json:"ip,omitempty"`
	Image          string            `json:"image"`
	Preemptible    bool              `json:"preemptible,omitempty"`
	Ephemeral      bool              `json:"ephemeral,omitempty"`
	Tags           map[string]string `json:"tags,omitempty"`
	Source         string            `json:"source"`          // who at the region vouches for it
	Fault          string            `json:"fault,omitempty"` // a positively observed fault, in words
}

// Instance is the plane's copy of an instance.
type Instance struct {
	ID     ID
	Region string
	InstanceReport
	StateSince   time.Time
	UpdatedAt    time.Time
	MissingSince time.Time // since when a held snapshot lacks it; zero if none does
}

// Bounds on what a region may report, in bytes and in entries.
const (
	maxReportText = 1024
	maxReportTags = 256
)

// ParseInstanceReport decodes and checks the body of a reported instance.
// Fields that it does not know are left alone, so that a newer region can
// speak to an older plane.
func ParseInstanceReport(body []byte) (InstanceReport, error) {
	var r InstanceReport
	if err := json.Unmarshal(body, &r); err != nil {
		return r, Invalid("the body of the instance is not the JSON of an instance report")
	}
	if err := checkOwner(r.OrganizationID, r.ProjectID); err != nil {
		return r, err
	}
	if !slices.Contains(InstanceStates, r.State) {
		return r, Invalid("state is not one of the contract's: %s", quoted(string(r.State)))
	}
	if r.IP != "" {
		if _, err := netip.ParseAddr(r.IP); err != nil {
			return r, Invalid("ip is no address: %s", quoted(r.IP))
		}
	}
	if len(r.Tags) > maxReportTags {
		return r, Invalid("an instance has at most %d tags; got %d", maxReportTags, len(r.Tags))
	}
	return r, checkReportTexts(r.Source, r.Name, r.Type, r.Image, r.Fault)
}

// NewInstance reads a stored object as an instance.
func NewInstance(o StoredObject) (Instance, error) {
	r, err := ParseInstanceReport(o.Body)
	if err != nil {
		return Instance{}, err
	}
	return Instance{
		ID: o.ID, Region: o.Region, InstanceReport: r,
		StateSince: o.StateSince, UpdatedAt: o.UpdatedAt, MissingSince: o.MissingSince,
	}, nil
}

func checkOwner(organization, project ID) error {
	for _, id := range []ID{organization, project} {
		if err := id.checkForm(); err != nil {
			return err
		}
	}
	return nil
}

func checkReportTexts(source string, others ...string) error {
	if source == "" {
		return Invalid("source is missing; every object names the source that vouches for it")
	}
	for _, s := range append(others, source) {
		if len(s) > maxReportText || !printable(s) {
			return Invalid("texts are printable and at most %d bytes; got %s", maxReportText, quoted(s))
		}
	}
	return nil
}
