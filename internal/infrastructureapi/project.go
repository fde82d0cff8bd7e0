package infrastructureapi

import (
	"context"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/region"
)

func (h handlers) ListProjects(ctx context.Context, _ ListProjectsRequestObject) (ListProjectsResponseObject, error) {
	projects, err := h.Region.Projects(ctx, callerOf(ctx))
	return answerList(projects, err, wireProject)
}

func (h handlers) GetProject(ctx context.Context, r GetProjectRequestObject) (GetProjectResponseObject, error) {
	project, err := h.Region.Project(ctx, callerOf(ctx), idOf(r.ID))
	return answerOne(project, err, wireProject)
}

func (h handlers) CreateProject(ctx context.Context, r CreateProjectRequestObject) (CreateProjectResponseObject, error) {
	project, err := h.Region.CreateProject(ctx, callerOf(ctx), region.NewProject{Name: r.Body.Name, Tags: r.Body.Tags})
	if err != nil {
		return nil, err
	}
	return CreateProject201JSONResponse(wireProject(project)), nil
}

func (h handlers) DeleteProject(ctx context.Context, r DeleteProjectRequestObject) (DeleteProjectResponseObject, error) {
	if err := h.Region.DeleteProject(ctx, callerOf(ctx), idOf(r.ID)); err != nil {
		return nil, err
	}
	return DeleteProject204Response{}, nil
}

func wireProject(p cloud.Project) Project {
	return Project{ID: uuidOf(p.ID), Name: p.Name, State: ProjectState(p.State), Tags: tagsOf(p.Tags)}
}
