-- name: GetProject :one
SELECT * FROM projects WHERE id = @id;

-- name: ListProjects :many
SELECT * FROM projects WHERE organization_id = @organization_id ORDER BY id;

-- name: PutProject :exec
INSERT INTO projects (id, organization_id, name, state, tags, created_at)
VALUES (@id, @organization_id, @name, @state, @tags, @created_at)
ON CONFLICT (id) DO UPDATE SET
    organization_id = excluded.organization_id,
    name = excluded.name,
    state = excluded.state,
    tags = excluded.tags,
    created_at = excluded.created_at;

-- name: CountFilesystems :one
SELECT COUNT(*) FROM filesystems WHERE project_id = @project_id;

-- name: DeleteProject :execrows
DELETE FROM projects WHERE projects.id = @id
AND NOT EXISTS (SELECT 1 FROM machines WHERE machines.project_id = @id)
AND NOT EXISTS (SELECT 1 FROM filesystems WHERE filesystems.project_id = @id);
