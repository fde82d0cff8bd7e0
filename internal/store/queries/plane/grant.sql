-- The row is held until the end of the transaction: revisions are committed in
-- their order.
-- name: TouchGrants :one
UPDATE plane SET grant_revision = grant_revision + 1 RETURNING grant_revision;

-- name: PutGrantChange :exec
INSERT INTO grant_changes (subject, organization_id, revision) VALUES (@subject, @organization_id, @revision)
ON CONFLICT (subject, organization_id) DO UPDATE SET revision = excluded.revision;

-- name: DeleteGrantChanges :exec
DELETE FROM grant_changes WHERE revision <= @up_to;

-- name: ListGrantChanges :many
SELECT * FROM grant_changes WHERE revision > @after ORDER BY revision LIMIT CAST(@max_rows AS BIGINT);
