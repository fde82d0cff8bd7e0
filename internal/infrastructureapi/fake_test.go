package infrastructureapi_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/engine"
	"github.com/penstock-cloud/penstock/internal/infrastructureapi"
	"github.com/penstock-cloud/penstock/internal/region"
)

// fake is a region in memory, whose machines change state when a test says so.
type fake struct {
	mu          sync.Mutex
	away        bool            // whether the plane is
	forgotten   bool            // whether the plane said nothing before it was
	fails       error           // of everything after admission
	features    engine.Features //
	projects    []cloud.Project // by id, as the others
	machines    []cloud.Machine //
	filesystems []cloud.Filesystem
	made        int
}

var _ infrastructureapi.Region = (*fake)(nil)

func newFake() *fake {
	return &fake{features: engine.Features{Filesystems: true}, projects: projects(), machines: machines(), filesystems: filesystems()}
}

// dump is everything in the region.
func (f *fake) dump() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	text, err := json.MarshalIndent([]any{f.projects, f.machines, f.filesystems}, "", " ")
	if err != nil {
		panic(err)
	}
	return string(text)
}

// become puts a machine into a state; "" for gone.
func (f *fake) become(id cloud.ID, state cloud.InstanceState, ip string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if state == "" {
		f.machines = slices.DeleteFunc(f.machines, func(m cloud.Machine) bool { return m.ID == id })
		return
	}
	for i := range f.machines {
		if f.machines[i].ID == id {
			f.machines[i].State, f.machines[i].IP = state, ip
		}
	}
}

func (f *fake) newID() cloud.ID {
	f.made++
	return cloud.ID(fmt.Sprintf("019cae00-0000-7000-9000-%012x", f.made))
}

func (f *fake) Admit(_ context.Context, p cloud.Principal, a cloud.Action, organization, project cloud.ID) (region.Caller, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := region.Caller{Principal: p}
	if !a.NeedsOrganization() {
		return c, nil
	}
	if f.away && f.forgotten {
		return c, cloud.Unavailable(errors.New("the plane is away"))
	}
	relation, err := cloud.ChooseOrganization(roles[p.UserID], p.OrganizationID, organization)
	if err != nil {
		return c, err
	}
	c.OrganizationID, c.ProjectID = relation.OrganizationID, project
	c.Grant = region.Grant{Current: !f.away}
	c.Grant.Role = relation.Role
	if err := c.Grant.Authorize(a); err != nil || project == "" {
		return c, err
	}
	_, err = f.project(c, project)
	return c, err
}

func (f *fake) project(c region.Caller, id cloud.ID) (cloud.Project, error) {
	return find(f.projects, func(p cloud.Project) bool { return p.ID == id && p.OrganizationID == c.OrganizationID }, "this organization has no project of that id")
}

func (f *fake) machine(c region.Caller, id cloud.ID) (*cloud.Machine, error) {
	for i, m := range f.machines {
		if m.ID == id && m.ProjectID == c.ProjectID {
			return &f.machines[i], nil
		}
	}
	return nil, cloud.NotFound("this project has no instance of that id")
}

func (f *fake) filesystem(c region.Caller, id cloud.ID) (cloud.Filesystem, error) {
	return find(f.filesystems, func(s cloud.Filesystem) bool { return s.ID == id && s.ProjectID == c.ProjectID }, "this project has no filesystem of that id")
}

func find[T any](items []T, is func(T) bool, otherwise string) (found T, err error) {
	if i := slices.IndexFunc(items, is); i >= 0 {
		return items[i], nil
	}
	return found, cloud.NotFound("%s", otherwise)
}

func filter[T any](items []T, is func(T) bool) (those []T) {
	for _, item := range items {
		if is(item) {
			those = append(those, item)
		}
	}
	return those
}

func (f *fake) Projects(_ context.Context, c region.Caller) ([]cloud.Project, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return filter(f.projects, func(p cloud.Project) bool { return p.OrganizationID == c.OrganizationID }), f.fails
}

func (f *fake) Project(_ context.Context, c region.Caller, id cloud.ID) (cloud.Project, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.project(c, id)
}

func (f *fake) CreateProject(_ context.Context, c region.Caller, in region.NewProject) (cloud.Project, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := firstError(f.fails, cloud.CheckThingName("name", in.Name), in.Tags.Check()); err != nil {
		return cloud.Project{}, err
	}
	p := cloud.Project{ID: f.newID(), OrganizationID: c.OrganizationID, Name: in.Name, State: cloud.ProjectActive, Tags: in.Tags}
	f.projects = append(f.projects, p)
	return p, nil
}

func (f *fake) DeleteProject(_ context.Context, c region.Caller, id cloud.ID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.project(c, id); err != nil {
		return err
	}
	if n := len(filter(f.machines, func(m cloud.Machine) bool { return m.ProjectID == id })); n > 0 {
		return cloud.Conflict("the project has %d instances; delete them first", n)
	}
	f.projects = slices.DeleteFunc(f.projects, func(p cloud.Project) bool { return p.ID == id })
	return nil
}

func (f *fake) Instances(_ context.Context, c region.Caller) ([]cloud.Machine, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return filter(f.machines, func(m cloud.Machine) bool { return m.ProjectID == c.ProjectID }), f.fails
}

func (f *fake) Instance(_ context.Context, c region.Caller, id cloud.ID) (cloud.Machine, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m, err := f.machine(c, id)
	if err != nil {
		return cloud.Machine{}, err
	}
	return *m, nil
}

func (f *fake) CreateInstance(_ context.Context, c region.Caller, in region.NewInstance) (cloud.Machine, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := firstError(f.fails, cloud.CheckThingName("name", in.Name), in.Tags.Check(), checkUserData(in.UserData)); err != nil {
		return cloud.Machine{}, err
	}
	if !strings.HasPrefix(in.Image, "image://ubuntu") {
		return cloud.Machine{}, cloud.Invalid("image: this region has no such image")
	}
	for _, id := range in.Filesystems {
		if _, err := f.filesystem(c, id); err != nil {
			return cloud.Machine{}, cloud.Invalid("filesystems: this project has no filesystem of the id %s", id)
		}
	}
	kind, err := find(types(), func(t cloud.InstanceType) bool { return t.Name == in.Type }, "")
	if err != nil {
		return cloud.Machine{}, cloud.Invalid("type: this region has no such type")
	}
	m := cloud.Machine{ID: f.newID(), OrganizationID: c.OrganizationID, ProjectID: c.ProjectID, State: cloud.InstanceCreating, MachineSpec: cloud.MachineSpec{
		Name: in.Name, Type: kind, Image: in.Image, Preemptible: in.Preemptible, Ephemeral: in.Ephemeral,
		UserData: in.UserData, Filesystems: in.Filesystems, Tags: in.Tags,
	}}
	f.machines = append(f.machines, m)
	return m, nil
}

func checkUserData(data *string) error {
	if data == nil {
		return nil
	}
	text, err := base64.StdEncoding.DecodeString(*data)
	if err != nil {
		return cloud.Invalid("userData is not base64")
	}
	if len(text) > 64<<10 {
		return cloud.Invalid("userData is over 64 KiB")
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) StartInstance(_ context.Context, c region.Caller, id cloud.ID) error {
	return f.turn(c, id, cloud.InstanceStopped, cloud.InstanceStarting)
}

func (f *fake) StopInstance(_ context.Context, c region.Caller, id cloud.ID) error {
	return f.turn(c, id, cloud.InstanceRunning, cloud.InstanceStopping)
}

func (f *fake) turn(c region.Caller, id cloud.ID, from, to cloud.InstanceState) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	m, err := f.machine(c, id)
	if err != nil {
		return err
	}
	if m.State != from {
		return cloud.Conflict("the instance is %s; it has to be %s", m.State, from)
	}
	m.State = to
	return nil
}

func (f *fake) DeleteInstance(_ context.Context, c region.Caller, id cloud.ID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	m, err := f.machine(c, id)
	if err == nil {
		m.State = cloud.InstanceDeleting
	}
	return err
}

func (f *fake) Filesystems(_ context.Context, c region.Caller) ([]cloud.Filesystem, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return filter(f.filesystems, func(s cloud.Filesystem) bool { return s.ProjectID == c.ProjectID }), f.fails
}

func (f *fake) Filesystem(_ context.Context, c region.Caller, id cloud.ID) (cloud.Filesystem, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.filesystem(c, id)
}

func (f *fake) CreateFilesystem(_ context.Context, c region.Caller, in region.NewFilesystem) (cloud.Filesystem, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	size, err := cloud.ParseBytes("size", in.Size)
	if err := firstError(f.fails, cloud.CheckThingName("name", in.Name), err); err != nil {
		return cloud.Filesystem{}, err
	}
	s := cloud.Filesystem{ID: f.newID(), ProjectID: c.ProjectID, Name: in.Name, Size: size}
	f.filesystems = append(f.filesystems, s)
	return s, nil
}

func (f *fake) DeleteFilesystem(_ context.Context, c region.Caller, id cloud.ID) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.filesystem(c, id); err != nil {
		return err
	}
	if slices.ContainsFunc(f.machines, func(m cloud.Machine) bool { return slices.Contains(m.Filesystems, id) }) {
		return cloud.Conflict("an instance has the filesystem; delete it first")
	}
	f.filesystems = slices.DeleteFunc(f.filesystems, func(s cloud.Filesystem) bool { return s.ID == id })
	return nil
}

func (f *fake) InstanceTypes(context.Context) ([]cloud.InstanceType, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return types(), f.fails
}

func (f *fake) Capacity(context.Context, region.Caller) ([]region.Capacity, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return []region.Capacity{{Type: "cpu.2x", Count: 40}, {Type: "h100-sxm5-80gb.8x"}}, f.fails
}

func (f *fake) Features() engine.Features {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.features
}
