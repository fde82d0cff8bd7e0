-- name: GetObject :one
SELECT * FROM objects
WHERE organization_id = @organization_id AND kind = @kind AND id = @id AND held = '';

-- name: ListObjects :many
SELECT region, id, body, state_since, updated_at FROM objects
WHERE organization_id = @organization_id AND kind = @kind AND id > @after_id AND held = ''
ORDER BY id
LIMIT CAST(@max_rows AS BIGINT);

-- name: ListObjectsOfProject :many
SELECT region, id, body, state_since, updated_at FROM objects
WHERE organization_id = @organization_id AND project_id = @project_id AND kind = @kind
    AND id > @after_id AND held = ''
ORDER BY id
LIMIT CAST(@max_rows AS BIGINT);

-- name: GetStoredObject :one
SELECT * FROM objects WHERE region = @region AND kind = @kind AND id = @id;

-- name: GetObjectOwner :one
SELECT region FROM objects WHERE kind = @kind AND id = @id AND held = '';

-- name: CountObjects :many
SELECT kind, COUNT(*) AS count FROM objects WHERE region = @region GROUP BY kind;

-- name: PutObject :exec
INSERT INTO objects (
    region, kind, id, incarnation, snapshot_id, organization_id, project_id,
    rev, body, state, state_since, updated_at, held
) VALUES (
    @region, @kind, @id, @incarnation, @snapshot_id, @organization_id, @project_id,
    @rev, @body, @state, @state_since, @updated_at, @held
)
ON CONFLICT (region, kind, id) DO UPDATE SET
    incarnation = excluded.incarnation,
    snapshot_id = excluded.snapshot_id,
    organization_id = excluded.organization_id,
    project_id = excluded.project_id,
    rev = excluded.rev,
    body = excluded.body,
    state = excluded.state,
    state_since = excluded.state_since,
    updated_at = excluded.updated_at,
    held = excluded.held;

-- name: DeleteObject :exec
DELETE FROM objects WHERE region = @region AND kind = @kind AND id = @id;

-- name: ListUnseenOrganizations :many
SELECT DISTINCT organization_id FROM objects
WHERE region = @region AND snapshot_id <> @snapshot_id
ORDER BY organization_id;

-- name: DeleteUnseenObjects :exec
DELETE FROM objects WHERE region = @region AND snapshot_id <> @snapshot_id;
