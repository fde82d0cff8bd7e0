package region

import (
	"context"
	"encoding/base64"
	"slices"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// DefaultImage is that of an instance for which none was asked.
const DefaultImage = "image://ubuntu22.04"

// Bounds on what is asked for with an instance: of user data in bytes.
const (
	MaxUserData    = 64 << 10
	MaxFilesystems = 8
)

// NewInstance is what is asked for with an instance.
type NewInstance struct {
	Name, Type  string
	Image       string // "" for DefaultImage
	Preemptible bool
	Ephemeral   bool
	UserData    *string // base64
	Filesystems []cloud.ID
	Tags        cloud.Tags
}

// Instances lists those of the caller's project.
func (t *Tenants) Instances(ctx context.Context, c Caller) (machines []cloud.Machine, err error) {
	err = t.Region.Read(ctx, func(r cloud.RegionReader) error {
		machines, err = r.Machines(c.ProjectID)
		return err
	})
	return machines, err
}

// Instance returns one of the caller's project; CodeNotFound if that has none of
// that id.
func (t *Tenants) Instance(ctx context.Context, c Caller, id cloud.ID) (m cloud.Machine, err error) {
	err = t.Region.Read(ctx, func(r cloud.RegionReader) error {
		m, err = machineOf(r, c.ProjectID, id)
		return err
	})
	return m, err
}

// CreateInstance makes one, in state creating; what comes of it is the
// Reconciler's. CodeInvalid names the field that is wrong; CodeForbidden the
// quota that is used up.
func (t *Tenants) CreateInstance(ctx context.Context, c Caller, in NewInstance) (cloud.Machine, error) {
	m, err := t.design(ctx, c, in)
	if err != nil {
		return cloud.Machine{}, err
	}
	if err := t.change(ctx, func(tx *change) error { return t.launch(tx, c, &m) }); err != nil {
		return cloud.Machine{}, err
	}
	t.Reconciler.Wake(m.ID)
	return m, nil
}

// design is what CreateInstance does before its transaction.
func (t *Tenants) design(ctx context.Context, c Caller, in NewInstance) (cloud.Machine, error) {
	spec, err := t.specify(ctx, in)
	spec.SSHKeys = c.Grant.SSHKeys
	return cloud.Machine{
		ID: t.Region.newID(), OrganizationID: c.OrganizationID, ProjectID: c.ProjectID, MachineSpec: spec,
		CreatedBy: c.UserID, Goal: cloud.GoalRunning, State: cloud.InstanceCreating,
	}, err
}

// launch is what it does in the transaction.
func (t *Tenants) launch(tx *change, c Caller, m *cloud.Machine) error {
	if err := t.checkFilesystems(tx, m.ProjectID, m.Filesystems); err != nil {
		return err
	}
	if err := t.takeQuota(tx, m.OrganizationID, m.Type.Name); err != nil {
		return err
	}
	if _, err := projectOf(tx, c, m.ProjectID); err != nil {
		return err // it was deleted since the caller was admitted
	}
	m.CreatedAt = tx.at
	if err := tx.put(*m); err != nil {
		return err
	}
	return tx.audit(c, deed{action: "instance.create", target: string(m.ID), after: m.Report()})
}

// specify checks what is asked for, as far as that needs no database.
func (t *Tenants) specify(ctx context.Context, in NewInstance) (cloud.MachineSpec, error) {
	spec := cloud.MachineSpec{
		Name: in.Name, Image: in.Image, Preemptible: in.Preemptible, Ephemeral: in.Ephemeral,
		UserData: in.UserData, Filesystems: in.Filesystems, Tags: in.Tags,
	}
	if err := cloud.CheckThingName("name", in.Name); err != nil {
		return spec, err
	}
	var err error
	if spec.Type, err = t.instanceType(in.Type); err != nil {
		return spec, err
	}
	if err := checkUserData(in.UserData); err != nil {
		return spec, err
	}
	if err := in.Tags.Check(); err != nil {
		return spec, err
	}
	if spec.Image == "" {
		spec.Image = DefaultImage
	}
	return spec, t.checkImage(ctx, spec.Image)
}

func (t *Tenants) checkImage(ctx context.Context, image string) error {
	images, err := t.Engine.Images(ctx)
	if err != nil {
		return err
	}
	if slices.Contains(images, image) {
		return nil
	}
	return cloud.Invalid("image: this region has no image %.80q; it has %q", image, images)
}

func checkUserData(data *string) error {
	if data == nil {
		return nil
	}
	if base64.StdEncoding.DecodedLen(len(*data)) > MaxUserData+2 {
		return cloud.Invalid("userData must be at most %d bytes before it is encoded", MaxUserData)
	}
	decoded, err := base64.StdEncoding.Strict().DecodeString(*data)
	if err != nil {
		return cloud.Invalid("userData must be base64 (RFC 4648, with padding) of cloud-init user data: %v", err)
	}
	if len(decoded) > MaxUserData {
		return cloud.Invalid("userData must be at most %d bytes before it is encoded; got %d", MaxUserData, len(decoded))
	}
	return nil
}

func (t *Tenants) checkFilesystems(r cloud.RegionReader, project cloud.ID, ids []cloud.ID) error {
	if len(ids) > MaxFilesystems {
		return cloud.Invalid("filesystems: an instance has at most %d; got %d", MaxFilesystems, len(ids))
	}
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			return cloud.Invalid("filesystems: %s is there twice", id)
		}
		if _, err := filesystemOf(r, project, id); cloud.CodeOf(err) == cloud.CodeNotFound {
			return cloud.Invalid("filesystems: the project has no filesystem %s", id)
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (t *Tenants) takeQuota(tx *change, organization cloud.ID, typeName string) error {
	most := t.Quotas.most(organization, typeName)
	err := tx.CountInstances(organization, typeName, 1, most)
	if cloud.CodeOf(err) == cloud.CodeConflict {
		return cloud.Forbidden("your organization may have %d instances of type %s in this region, and has them; delete one, or ask the region's operator for more", most, typeName)
	}
	return err
}

// StartInstance has an instance run. CodeConflict names the state in which that
// cannot be asked for.
func (t *Tenants) StartInstance(ctx context.Context, c Caller, id cloud.ID) error {
	return t.order(ctx, c, "instance.start", id, func(m *cloud.Machine) error {
		switch m.State {
		case cloud.InstanceStopping, cloud.InstanceDeleting:
			return cloud.Conflict("the instance is %s; it can be started once it is stopped", m.State)
		case cloud.InstanceStopped, cloud.InstanceError:
			m.State, m.Reason = cloud.InstanceStarting, ""
		case cloud.InstanceCreating, cloud.InstanceStarting, cloud.InstanceRunning, cloud.InstanceOutOfStock:
		}
		m.Goal = cloud.GoalRunning
		return nil
	})
}

// StopInstance has an instance stop; an ephemeral one is deleted then.
// CodeConflict names the state in which that cannot be asked for.
func (t *Tenants) StopInstance(ctx context.Context, c Caller, id cloud.ID) error {
	return t.order(ctx, c, "instance.stop", id, func(m *cloud.Machine) error {
		switch m.State {
		case cloud.InstanceDeleting:
			return cloud.Conflict("the instance is %s", m.State)
		case cloud.InstanceStopping, cloud.InstanceStopped:
		case cloud.InstanceCreating, cloud.InstanceStarting, cloud.InstanceRunning, cloud.InstanceOutOfStock, cloud.InstanceError:
			m.State, m.Reason = cloud.InstanceStopping, ""
		}
		m.Goal = cloud.GoalStopped
		return nil
	})
}

// DeleteInstance has an instance deleted. Asked twice, it is the same.
func (t *Tenants) DeleteInstance(ctx context.Context, c Caller, id cloud.ID) error {
	err := t.order(ctx, c, "instance.delete", id, func(m *cloud.Machine) error {
		m.Goal, m.State, m.Reason = cloud.GoalDeleted, cloud.InstanceDeleting, ""
		return nil
	})
	if err == nil {
		t.Reconciler.agenda.interrupt(id) // nobody waits any more for it to stop in good order
	}
	return err
}

// order changes what is wanted of an instance. What is wanted already changes
// nothing.
func (t *Tenants) order(ctx context.Context, c Caller, action string, id cloud.ID, want func(*cloud.Machine) error) error {
	err := t.change(ctx, func(tx *change) error {
		before, err := machineOf(tx, c.ProjectID, id)
		if err != nil {
			return err
		}
		after := before
		if err := want(&after); err != nil {
			return err
		}
		if after.Goal == before.Goal && after.State == before.State {
			return nil
		}
		if err := tx.put(after); err != nil {
			return err
		}
		return tx.audit(c, deed{action: action, target: string(id), before: orderFacts(before), after: orderFacts(after)})
	})
	if err == nil {
		t.Reconciler.Wake(id)
	}
	return err
}

func orderFacts(m cloud.Machine) any {
	return struct {
		State cloud.InstanceState `json:"state"`
		Goal  cloud.Goal          `json:"goal"`
	}{m.State, m.Goal}
}
