package infrastructureapi

import (
	"cmp"
	"context"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/region"
	"github.com/penstock-cloud/penstock/internal/rest"
)

// defaultImage is what an instance is made from whose request names none; as
// the document says.
const defaultImage = "image://ubuntu22.04"

func (h handlers) ListInstances(ctx context.Context, _ ListInstancesRequestObject) (ListInstancesResponseObject, error) {
	caller := callerOf(ctx)
	instances, err := h.Region.Instances(ctx, caller)
	a, err := answerList(instances, err, wireInstance)
	if err == nil && caller.Revision != 0 {
		h.lists.Put(caller.ProjectID, caller.Revision, a.Representation)
	}
	return a, err
}

// keptList is the operation whose answers are kept. They depend on nothing but
// the project.
const keptList = "ListInstances"

// kept returns the list of the caller's project, if it is kept and what there is;
// nil if not. The revision was read before the list was, so that a list is never
// older than its revision says.
func (s *Server) kept(caller region.Caller) *rest.Representation {
	if caller.Revision == 0 {
		return nil
	}
	return s.lists.Get(caller.ProjectID, func(as region.Revision) bool { return as == caller.Revision })
}

func (h handlers) GetInstance(ctx context.Context, r GetInstanceRequestObject) (GetInstanceResponseObject, error) {
	instance, err := h.Region.Instance(ctx, callerOf(ctx), idOf(r.ID))
	return answerOne(instance, err, wireInstance)
}

func (h handlers) CreateInstance(ctx context.Context, r CreateInstanceRequestObject) (CreateInstanceResponseObject, error) {
	instance, err := h.Region.CreateInstance(ctx, callerOf(ctx), region.NewInstance{
		Name: r.Body.Name, Type: r.Body.Type, Image: cmp.Or(rest.Deref(r.Body.Image), defaultImage),
		Preemptible: rest.Deref(r.Body.Preemptible), Ephemeral: rest.Deref(r.Body.Ephemeral),
		UserData: r.Body.UserData, Filesystems: rest.Translate(r.Body.Filesystems, idOf), Tags: r.Body.Tags,
	})
	if err != nil {
		return nil, err
	}
	return CreateInstance201JSONResponse(wireInstance(instance)), nil
}

func (h handlers) StartInstance(ctx context.Context, r StartInstanceRequestObject) (StartInstanceResponseObject, error) {
	if err := h.Region.StartInstance(ctx, callerOf(ctx), idOf(r.ID)); err != nil {
		return nil, err
	}
	return StartInstance202Response{}, nil
}

func (h handlers) StopInstance(ctx context.Context, r StopInstanceRequestObject) (StopInstanceResponseObject, error) {
	if err := h.Region.StopInstance(ctx, callerOf(ctx), idOf(r.ID)); err != nil {
		return nil, err
	}
	return StopInstance202Response{}, nil
}

func (h handlers) DeleteInstance(ctx context.Context, r DeleteInstanceRequestObject) (DeleteInstanceResponseObject, error) {
	if err := h.Region.DeleteInstance(ctx, callerOf(ctx), idOf(r.ID)); err != nil {
		return nil, err
	}
	return DeleteInstance204Response{}, nil
}

func wireInstance(m cloud.Machine) Instance {
	return Instance{
		ID: uuidOf(m.ID), Name: m.Name, Type: m.Type.Name, IP: rest.OrNil(m.IP), State: InstanceState(m.State),
		Image: m.Image, Preemptible: m.Preemptible, Ephemeral: m.Ephemeral, UserData: m.UserData,
		Filesystems: rest.Translate(m.Filesystems, uuidOf), Tags: tagsOf(m.Tags),
	}
}
