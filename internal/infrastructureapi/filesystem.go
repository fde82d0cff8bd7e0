package infrastructureapi

import (
	"context"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/region"
)

var errNoFilesystems = cloud.Unimplemented("this region has no storage for filesystems to give; GET /capabilities lists what it can do")

func (h handlers) ListFilesystems(ctx context.Context, _ ListFilesystemsRequestObject) (ListFilesystemsResponseObject, error) {
	filesystems, err := h.Region.Filesystems(ctx, callerOf(ctx))
	return answerList(filesystems, err, wireFilesystem)
}

func (h handlers) GetFilesystem(ctx context.Context, r GetFilesystemRequestObject) (GetFilesystemResponseObject, error) {
	filesystem, err := h.Region.Filesystem(ctx, callerOf(ctx), idOf(r.ID))
	return answerOne(filesystem, err, wireFilesystem)
}

func (h handlers) CreateFilesystem(ctx context.Context, r CreateFilesystemRequestObject) (CreateFilesystemResponseObject, error) {
	if !h.Region.Features().Filesystems {
		return nil, errNoFilesystems
	}
	filesystem, err := h.Region.CreateFilesystem(ctx, callerOf(ctx), region.NewFilesystem{Name: r.Body.Name, Size: r.Body.Size})
	if err != nil {
		return nil, err
	}
	return CreateFilesystem201JSONResponse(wireFilesystem(filesystem)), nil
}

func (h handlers) DeleteFilesystem(ctx context.Context, r DeleteFilesystemRequestObject) (DeleteFilesystemResponseObject, error) {
	if !h.Region.Features().Filesystems {
		return nil, errNoFilesystems
	}
	if err := h.Region.DeleteFilesystem(ctx, callerOf(ctx), idOf(r.ID)); err != nil {
		return nil, err
	}
	return DeleteFilesystem204Response{}, nil
}

func wireFilesystem(f cloud.Filesystem) Filesystem {
	return Filesystem{ID: uuidOf(f.ID), Name: f.Name, Size: f.Size.String()}
}
