-- name: ListTombstones :many
SELECT * FROM tombstones WHERE rev > @after_rev ORDER BY rev LIMIT CAST(@max_rows AS BIGINT);

-- name: PutTombstone :exec
INSERT INTO tombstones (kind, id, rev, buried_at) VALUES (@kind, @id, @rev, @buried_at)
ON CONFLICT (kind, id) DO UPDATE SET rev = excluded.rev, buried_at = excluded.buried_at;

-- name: DeleteTombstone :exec
DELETE FROM tombstones WHERE kind = @kind AND id = @id;

-- The newest of those up to a rev, and before the first that is too young.
-- name: GetPruneFloor :one
SELECT t.rev FROM tombstones t
WHERE t.rev <= @up_to AND t.rev < COALESCE(
    (SELECT young.rev FROM tombstones young WHERE young.buried_at >= @since ORDER BY young.rev LIMIT 1),
    9223372036854775807
)
ORDER BY t.rev DESC LIMIT 1;

-- name: PruneTombstones :exec
DELETE FROM tombstones WHERE rev <= @floor;
