package rows

import (
	"encoding/json"
	"fmt"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/regiondb"
)

// machineBody is what no query asks for of a machine, as it is stored.
type machineBody struct {
	CreatedBy   cloud.ID            `json:"created_by"`
	Name        string              `json:"name"`
	Type        machineType         `json:"type"`
	Image       string              `json:"image"`
	Preemptible bool                `json:"preemptible"`
	Ephemeral   bool                `json:"ephemeral"`
	UserData    *string             `json:"user_data"`
	Filesystems []cloud.ID          `json:"filesystems"`
	Tags        cloud.Tags          `json:"tags"`
	SSHKeys     []string            `json:"ssh_keys"`
	Goal        cloud.Goal          `json:"goal"`
	State       cloud.InstanceState `json:"state"`
	Reason      string              `json:"reason"`
	GPUs        []string            `json:"gpus"`
	Prepared    bool                `json:"prepared"`
}

// machineType is cloud.InstanceType, as it is stored.
type machineType struct {
	Name     string      `json:"name"`
	CPU      int         `json:"cpu"`
	Memory   cloud.Bytes `json:"memory"`
	GPUModel string      `json:"gpu_model"`
	GPUCount int         `json:"gpu_count"`
}

func machine(row regiondb.Machine) (cloud.Machine, error) {
	var body machineBody
	if err := json.Unmarshal([]byte(row.Body), &body); err != nil {
		return cloud.Machine{}, fmt.Errorf("body of the machine %s: %w", row.ID, err)
	}
	return cloud.Machine{
		ID:             cloud.ID(row.ID),
		OrganizationID: cloud.ID(row.OrganizationID),
		ProjectID:      cloud.ID(row.ProjectID),
		MachineSpec: cloud.MachineSpec{
			Name:        body.Name,
			Type:        cloud.InstanceType(body.Type),
			Image:       body.Image,
			Preemptible: body.Preemptible,
			Ephemeral:   body.Ephemeral,
			UserData:    body.UserData,
			Filesystems: body.Filesystems,
			Tags:        body.Tags,
			SSHKeys:     body.SSHKeys,
		},
		CreatedBy: body.CreatedBy,
		CreatedAt: instant(row.CreatedAt),
		Goal:      body.Goal,
		State:     body.State,
		Reason:    body.Reason,
		Host:      row.Host,
		Placed:    row.Placed,
		GPUs:      body.GPUs,
		IP:        row.Ip,
		Prepared:  body.Prepared,
	}, nil
}

func machineParams(m cloud.Machine) (regiondb.PutMachineParams, error) {
	body, err := json.Marshal(machineBody{
		CreatedBy:   m.CreatedBy,
		Name:        m.Name,
		Type:        machineType(m.Type),
		Image:       m.Image,
		Preemptible: m.Preemptible,
		Ephemeral:   m.Ephemeral,
		UserData:    m.UserData,
		Filesystems: m.Filesystems,
		Tags:        m.Tags,
		SSHKeys:     m.SSHKeys,
		Goal:        m.Goal,
		State:       m.State,
		Reason:      m.Reason,
		GPUs:        m.GPUs,
		Prepared:    m.Prepared,
	})
	return regiondb.PutMachineParams{
		ID:             string(m.ID),
		OrganizationID: string(m.OrganizationID),
		ProjectID:      string(m.ProjectID),
		Host:           m.Host,
		Placed:         m.Placed,
		Ip:             m.IP,
		Yielding:       m.Yielding(),
		CreatedAt:      micros(m.CreatedAt),
		Body:           string(body),
	}, err
}

// Machine implements cloud.RegionReader.
func (r RegionReader) Machine(id cloud.ID) (cloud.Machine, error) {
	row, err := r.q.GetMachine(r.ctx, string(id))
	if err != nil {
		return cloud.Machine{}, missing(err, "the region has no instance of that id")
	}
	return machine(row)
}

// Machines implements cloud.RegionReader.
func (r RegionReader) Machines(project cloud.ID) ([]cloud.Machine, error) {
	rows, err := r.q.ListMachines(r.ctx, string(project))
	return try(rows, err, machine)
}

// CountMachines implements cloud.RegionReader.
func (r RegionReader) CountMachines(project cloud.ID) (int64, error) {
	return r.q.CountMachines(r.ctx, string(project))
}

// AllMachines implements cloud.RegionReader.
func (r RegionReader) AllMachines(after cloud.ID, limit int) ([]cloud.Machine, error) {
	rows, err := r.q.ListAllMachines(r.ctx, regiondb.ListAllMachinesParams{AfterID: string(after), MaxRows: rowLimit(limit)})
	return try(rows, err, machine)
}

// YieldingMachines implements cloud.RegionReader.
func (r RegionReader) YieldingMachines() ([]cloud.Machine, error) {
	rows, err := r.q.ListYieldingMachines(r.ctx)
	return try(rows, err, machine)
}

// Addresses implements cloud.RegionReader.
func (r RegionReader) Addresses() ([]string, error) { return r.q.ListAddresses(r.ctx) }

// PutMachine implements cloud.RegionWriter.
func (w RegionWriter) PutMachine(m cloud.Machine) error {
	before, err := w.Machine(m.ID)
	isNew := cloud.CodeOf(err) == cloud.CodeNotFound
	if err != nil && !isNew {
		return err
	}
	if isNew || before.ProjectID != m.ProjectID {
		if _, err := w.Project(m.ProjectID); err != nil {
			return err
		}
	}
	row, err := machineParams(m)
	if err != nil {
		return err
	}
	had, has := holdingOf(before), holdingOf(m)
	if had.equal(has) {
		return w.q.PutMachine(w.ctx, row)
	}
	return w.whole(func() error {
		if err := w.exchange(m.ID, had, has); err != nil {
			return err
		}
		err := w.q.PutMachine(w.ctx, row)
		if cloud.CodeOf(err) == cloud.CodeConflict { // its id never is one
			return cloud.Conflict("the address %s is another instance's", m.IP)
		}
		return err
	})
}

// DeleteMachine implements cloud.RegionWriter.
func (w RegionWriter) DeleteMachine(id cloud.ID) error {
	before, err := w.Machine(id)
	if err != nil {
		return err
	}
	if err := w.exchange(id, holdingOf(before), holding{}); err != nil {
		return err
	}
	return w.q.DeleteMachine(w.ctx, string(id))
}

// CountInstances implements cloud.RegionWriter.
func (w RegionWriter) CountInstances(organization cloud.ID, typeName string, add, most int64) error {
	if err := w.q.CreateInstanceCount(w.ctx, regiondb.CreateInstanceCountParams{
		OrganizationID: string(organization),
		Type:           typeName,
	}); err != nil {
		return err
	}
	n, err := w.q.AddToInstanceCount(w.ctx, regiondb.AddToInstanceCountParams{
		Add:            add,
		OrganizationID: string(organization),
		Type:           typeName,
		Most:           most,
	})
	return changed(n, err, cloud.Conflict("the organization would have fewer than 0 or more than %d instances of the type %s", most, typeName))
}
