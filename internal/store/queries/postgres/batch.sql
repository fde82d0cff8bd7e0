-- What SQLite does row by row, PostgreSQL does in one statement for a batch:
-- arrays of equal length, unnested side by side.

-- name: ListStoredObjects :many
SELECT o.*
FROM (SELECT unnest(@kinds::text[]) AS kind, unnest(@ids::text[]) AS id) k
JOIN objects o ON o.region = @region AND o.kind = k.kind AND o.id = k.id;

-- name: ListOwners :many
SELECT o.kind, o.id, o.region
FROM (SELECT unnest(@kinds::text[]) AS kind, unnest(@ids::text[]) AS id) k
JOIN objects o ON o.kind = k.kind AND o.id = k.id AND o.held = '';

-- name: PutObjects :exec
INSERT INTO objects (
    region, kind, id, incarnation, snapshot_id, organization_id, project_id,
    rev, body, state, state_since, updated_at, held, missing_since
)
SELECT
    unnest(@regions::text[]), unnest(@kinds::text[]), unnest(@ids::text[]), @incarnation::text, @snapshot_id::text,
    unnest(@organization_ids::text[]), unnest(@project_ids::text[]),
    unnest(@revs::bigint[]), unnest(@bodies::text[]), unnest(@states::text[]),
    unnest(@state_sinces::bigint[]), unnest(@updated_ats::bigint[]), unnest(@helds::text[]), 0
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

-- name: ListKnownOrganizations :many
SELECT id FROM organizations WHERE id = ANY(@ids::text[]);

-- name: DeleteObjects :exec
DELETE FROM objects o
USING (SELECT unnest(@kinds::text[]) AS kind, unnest(@ids::text[]) AS id) k
WHERE o.region = @region AND o.kind = k.kind AND o.id = k.id;

-- Rows are locked in the order of the organizations, so that no two
-- transactions wait for each other.
-- name: TouchFleets :exec
WITH touched AS (
    SELECT organization_id FROM fleets
    WHERE organization_id = ANY(@organization_ids::text[])
    ORDER BY organization_id
    FOR UPDATE
)
UPDATE fleets f SET revision = revision + 1
FROM touched t WHERE f.organization_id = t.organization_id;

-- name: LockLink :exec
SELECT 1 FROM links WHERE region = @region FOR UPDATE;

-- Held until the end of the transaction.
-- name: LockName :exec
SELECT pg_advisory_xact_lock(hashtextextended(@name::text, 0));

-- name: LockOutcome :exec
SELECT 1 FROM outcomes WHERE caller = @caller AND key = @key FOR UPDATE;
