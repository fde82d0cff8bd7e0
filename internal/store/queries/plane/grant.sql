-- The row is held until the end of the transaction: revisions are committed in
-- their order.
-- name: TouchGrants :one
UPDATE grant_stream SET revision = revision + 1 RETURNING revision;

-- name: CreateGrantStream :exec
INSERT INTO grant_stream (id, revision) VALUES (1, 0)
ON CONFLICT DO NOTHING;

-- name: PutGrantChange :exec
INSERT INTO grant_changes (subject, organization_id, revision) VALUES (@subject, @organization_id, @revision)
ON CONFLICT (subject, organization_id) DO UPDATE SET revision = excluded.revision;

-- name: DeleteGrantChanges :exec
DELETE FROM grant_changes WHERE revision <= @up_to;

-- name: ListGrantChanges :many
SELECT * FROM grant_changes WHERE revision > @after ORDER BY revision LIMIT CAST(@max_rows AS BIGINT);
