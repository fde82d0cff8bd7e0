package region

import (
	"context"
	"slices"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// NewFilesystem is what is asked for with a filesystem.
type NewFilesystem struct {
	Name, Size string
}

// Filesystems lists those of the caller's project.
func (t *Tenants) Filesystems(ctx context.Context, c Caller) (active []cloud.Filesystem, err error) {
	err = t.Region.Read(ctx, func(r cloud.RegionReader) error {
		all, err := r.Filesystems(c.ProjectID)
		active = slices.DeleteFunc(all, func(f cloud.Filesystem) bool { return f.State != cloud.FilesystemActive })
		return err
	})
	return active, err
}

// Filesystem returns one of the caller's project; CodeNotFound if that has none
// of that id.
func (t *Tenants) Filesystem(ctx context.Context, c Caller, id cloud.ID) (f cloud.Filesystem, err error) {
	err = t.Region.Read(ctx, func(r cloud.RegionReader) error {
		f, err = filesystemOf(r, c.ProjectID, id)
		return err
	})
	return f, err
}

func filesystemOf(r cloud.RegionReader, project, id cloud.ID) (cloud.Filesystem, error) {
	f, err := r.Filesystem(id)
	if cloud.CodeOf(err) == cloud.CodeNotFound || err == nil && (f.ProjectID != project || f.State != cloud.FilesystemActive) {
		return cloud.Filesystem{}, cloud.NotFound("the project has no filesystem %s", id)
	}
	return f, err
}

// CreateFilesystem makes one. It is written down first as not there yet, so that
// whatever the engine made of it is removed if this process dies.
func (t *Tenants) CreateFilesystem(ctx context.Context, c Caller, in NewFilesystem) (cloud.Filesystem, error) {
	if !t.Engine.Features().Filesystems {
		return cloud.Filesystem{}, errNoFilesystems
	}
	if err := cloud.CheckThingName("name", in.Name); err != nil {
		return cloud.Filesystem{}, err
	}
	size, err := cloud.ParseBytes("size", in.Size)
	if err != nil {
		return cloud.Filesystem{}, err
	}
	f := cloud.Filesystem{ID: t.Region.newID(), ProjectID: c.ProjectID, Name: in.Name, Size: size, State: cloud.FilesystemCreating}
	err = t.change(ctx, func(tx *change) error {
		if _, err := projectOf(tx, c, c.ProjectID); err != nil {
			return err
		}
		f.CreatedAt = tx.at
		return tx.PutFilesystem(f)
	})
	if err != nil {
		return cloud.Filesystem{}, err
	}
	if err := t.Engine.CreateFilesystem(ctx, f); err != nil {
		return cloud.Filesystem{}, t.abandon(ctx, f, err)
	}
	f.State = cloud.FilesystemActive
	err = t.change(ctx, func(tx *change) error {
		if err := tx.PutFilesystem(f); err != nil {
			return err
		}
		return tx.audit(c, deed{action: "filesystem.create", target: string(f.ID), after: filesystemFacts(f)})
	})
	if err != nil {
		return cloud.Filesystem{}, t.abandon(ctx, f, err)
	}
	return f, nil
}

var errNoFilesystems = cloud.Unimplemented("this region's engine has no filesystems; GET /capabilities tells what it can do")

// abandon removes what there is of a filesystem that could not be made, whether
// or not its caller still waits, and returns why it could not.
func (t *Tenants) abandon(ctx context.Context, f cloud.Filesystem, cause error) error {
	if err := t.Reconciler.removeFilesystem(context.WithoutCancel(ctx), f); err != nil {
		t.Log.WarnContext(ctx, "what is left of a filesystem could not be removed; trying again at the next start", "filesystem", f.ID, "error", err)
	}
	return cause
}

// DeleteFilesystem removes one and what is in it; CodeConflict, which counts
// them, while instances have it.
func (t *Tenants) DeleteFilesystem(ctx context.Context, c Caller, id cloud.ID) error {
	if !t.Engine.Features().Filesystems {
		return errNoFilesystems
	}
	var f cloud.Filesystem
	err := t.change(ctx, func(tx *change) error {
		var err error
		if f, err = filesystemOf(tx, c.ProjectID, id); err != nil {
			return err
		}
		machines, err := tx.Machines(c.ProjectID)
		if err != nil {
			return err
		}
		users := slices.DeleteFunc(machines, func(m cloud.Machine) bool { return !slices.Contains(m.Filesystems, id) })
		if len(users) > 0 {
			return cloud.Conflict("%d instances have the filesystem; delete them first", len(users))
		}
		f.State = cloud.FilesystemDeleting
		if err := tx.PutFilesystem(f); err != nil {
			return err
		}
		return tx.audit(c, deed{action: "filesystem.delete", target: string(f.ID), before: filesystemFacts(f)})
	})
	if err != nil {
		return err
	}
	return t.Reconciler.removeFilesystem(ctx, f)
}

func filesystemFacts(f cloud.Filesystem) any {
	return struct {
		ProjectID cloud.ID `json:"project_id"`
		Name      string   `json:"name"`
		Size      string   `json:"size"`
	}{f.ProjectID, f.Name, f.Size.String()}
}
