-- name: ListTombstones :many
SELECT * FROM tombstones WHERE rev > @after_rev ORDER BY rev LIMIT CAST(@max_rows AS BIGINT);

-- name: PutTombstone :exec
INSERT INTO tombstones (kind, id, rev) VALUES (@kind, @id, @rev)
ON CONFLICT (kind, id) DO UPDATE SET rev = excluded.rev;

-- name: DeleteTombstone :exec
DELETE FROM tombstones WHERE kind = @kind AND id = @id;

-- The newest of those beyond the number to keep.
-- name: GetPruneFloor :one
SELECT rev FROM tombstones ORDER BY rev DESC LIMIT 1 OFFSET CAST(@keep AS BIGINT);

-- name: PruneTombstones :exec
DELETE FROM tombstones WHERE rev <= @floor;
