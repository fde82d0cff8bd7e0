package cloud

import (
	"encoding/json"
	"time"
)

// ClusterType is the kind of a cluster.
type ClusterType string

// The cluster types, as the contract's enum spells them.
const (
	ClusterKubernetes ClusterType = "kubernetes"
	ClusterSlurm      ClusterType = "slurm"
)

// ClusterReport is what a region says of a cluster: the body of an Object.
type ClusterReport struct {
	OrganizationID ID          `json:"organization_id"`
	ProjectID      ID          `json:"project_id"`
	Name           string      `json:"name"`
	Type           ClusterType `json:"type"`
	Source         string      `json:"source"`         // the prober that vouches for it
	Down           bool        `json:"down,omitempty"` // its prober positively found its API down
}

// State is what the plane notes the beginning of: "up" or "down".
func (r ClusterReport) State() string {
	if r.Down {
		return "down"
	}
	return "up"
}

// Cluster is the plane's copy of a cluster.
type Cluster struct {
	ID     ID
	Region string
	ClusterReport
	StateSince   time.Time // since when it is up, or down
	UpdatedAt    time.Time
	MissingSince time.Time // since when a held snapshot lacks it; zero if none does
}

// ParseClusterReport decodes and checks the body of a reported cluster.
func ParseClusterReport(body []byte) (ClusterReport, error) {
	var r ClusterReport
	if err := json.Unmarshal(body, &r); err != nil {
		return r, Invalid("the body of the cluster is not the JSON of a cluster report")
	}
	if err := checkOwner(r.OrganizationID, r.ProjectID); err != nil {
		return r, err
	}
	if r.Type != ClusterKubernetes && r.Type != ClusterSlurm {
		return r, Invalid("type must be one of kubernetes, slurm; got %s", quoted(string(r.Type)))
	}
	return r, checkReportTexts(r.Source, r.Name)
}

// NewCluster reads a stored object as a cluster.
func NewCluster(o StoredObject) (Cluster, error) {
	r, err := ParseClusterReport(o.Body)
	if err != nil {
		return Cluster{}, err
	}
	return Cluster{
		ID: o.ID, Region: o.Region, ClusterReport: r,
		StateSince: o.StateSince, UpdatedAt: o.UpdatedAt, MissingSince: o.MissingSince,
	}, nil
}
