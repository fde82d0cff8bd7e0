-- name: GetObject :one
SELECT * FROM objects
WHERE organization_id = @organization_id AND kind = @kind AND id = @id AND held = '';

-- name: ListObjects :many
SELECT region, id, body, state_since, updated_at, missing_since FROM objects
WHERE organization_id = @organization_id AND kind = @kind AND id > @after_id AND held = ''
ORDER BY id
LIMIT CAST(@max_rows AS BIGINT);

-- name: ListObjectsOfProject :many
SELECT region, id, body, state_since, updated_at, missing_since FROM objects
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
    rev, body, state, state_since, updated_at, held, missing_since
) VALUES (
    @region, @kind, @id, @incarnation, @snapshot_id, @organization_id, @project_id,
    @rev, @body, @state, @state_since, @updated_at, @held, 0
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
    held = excluded.held,
    missing_since = excluded.missing_since;

-- name: DeleteObject :exec
DELETE FROM objects WHERE region = @region AND kind = @kind AND id = @id;

-- name: CountUnseenObjects :one
SELECT COUNT(*) FROM objects WHERE region = @region AND snapshot_id <> @snapshot_id;

-- name: ListUnseenOrganizations :many
SELECT DISTINCT organization_id FROM objects
WHERE region = @region AND snapshot_id <> @snapshot_id AND missing_since = 0
ORDER BY organization_id;

-- name: DeleteUnseenObjects :exec
DELETE FROM objects WHERE region = @region AND snapshot_id <> @snapshot_id AND missing_since = 0;

-- name: HoldUnseenObjects :exec
UPDATE objects SET missing_since = @missing_since
WHERE region = @region AND snapshot_id <> @snapshot_id AND missing_since = 0;

-- name: ListMissingOrganizations :many
SELECT DISTINCT organization_id FROM objects
WHERE region = @region AND missing_since <> 0 AND missing_since <= @until
ORDER BY organization_id;

-- name: DeleteMissingObjects :exec
DELETE FROM objects WHERE region = @region AND missing_since <> 0 AND missing_since <= @until;

-- name: SetBackMissingObjects :exec
UPDATE objects SET missing_since = missing_since - CAST(@span AS BIGINT)
WHERE region = @region AND missing_since <> 0;

-- name: CountHeldObjects :many
SELECT held, COUNT(*) AS count FROM objects WHERE region = @region AND held <> '' GROUP BY held;

-- name: CountMissingObjects :one
SELECT COUNT(*) AS count, CAST(COALESCE(MIN(missing_since), 0) AS BIGINT) AS since
FROM objects WHERE region = @region AND missing_since <> 0;

-- name: ListObjectsAside :many
SELECT * FROM objects
WHERE region = @region AND (held <> '' OR missing_since <> 0) AND (kind, id) > (@after_kind, @after_id)
ORDER BY kind, id
LIMIT CAST(@max_rows AS BIGINT);

-- name: ListFreedObjects :many
SELECT * FROM objects o
WHERE o.region = @region AND o.held = @held AND o.missing_since = 0 AND NOT EXISTS (
    SELECT 1 FROM objects shown WHERE shown.kind = o.kind AND shown.id = o.id AND shown.held = ''
)
ORDER BY o.kind, o.id
LIMIT CAST(@max_rows AS BIGINT);

-- name: ListAdoptedObjects :many
SELECT o.* FROM objects o
WHERE o.region = @region AND o.held = @held AND o.missing_since = 0
    AND EXISTS (SELECT 1 FROM organizations WHERE id = o.organization_id)
ORDER BY o.kind, o.id
LIMIT CAST(@max_rows AS BIGINT);

-- name: ListOrganizationsIn :many
SELECT DISTINCT organization_id FROM objects WHERE region = @region ORDER BY organization_id;

-- An object whose organization is unknown stays held for that.
-- name: DenyObjects :execrows
UPDATE objects SET held = @denied
WHERE region = @region AND organization_id = @organization_id AND (held = '' OR held = @foreign_id);

-- name: AllowObjects :execrows
UPDATE objects AS o SET held = CASE WHEN EXISTS (
    SELECT 1 FROM objects shown WHERE shown.kind = o.kind AND shown.id = o.id AND shown.held = ''
) THEN CAST(@foreign_id AS TEXT) ELSE '' END
WHERE o.region = @region AND o.organization_id = @organization_id AND o.held = @denied;
