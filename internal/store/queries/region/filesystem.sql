-- name: GetFilesystem :one
SELECT * FROM filesystems WHERE id = @id;

-- name: ListFilesystems :many
SELECT * FROM filesystems WHERE project_id = @project_id ORDER BY id;

-- name: ListAllFilesystems :many
SELECT * FROM filesystems ORDER BY id;

-- name: PutFilesystem :exec
INSERT INTO filesystems (id, project_id, name, size, state, created_at)
VALUES (@id, @project_id, @name, @size, @state, @created_at)
ON CONFLICT (id) DO UPDATE SET
    project_id = excluded.project_id,
    name = excluded.name,
    size = excluded.size,
    state = excluded.state,
    created_at = excluded.created_at;

-- name: DeleteFilesystem :execrows
DELETE FROM filesystems WHERE id = @id;
