-- name: GetObject :one
SELECT * FROM objects WHERE kind = @kind AND id = @id;

-- name: ListObjects :many
SELECT * FROM objects
WHERE (kind, id) > (@after_kind, @after_id)
ORDER BY kind, id
LIMIT CAST(@max_rows AS BIGINT);

-- name: ListChangedObjects :many
SELECT * FROM objects WHERE rev > @after_rev ORDER BY rev LIMIT CAST(@max_rows AS BIGINT);

-- name: CountObjects :many
SELECT kind, COUNT(*) AS count FROM objects GROUP BY kind;

-- name: PutObject :exec
INSERT INTO objects (kind, id, rev, body) VALUES (@kind, @id, @rev, @body)
ON CONFLICT (kind, id) DO UPDATE SET rev = excluded.rev, body = excluded.body;

-- name: DeleteObject :execrows
DELETE FROM objects WHERE kind = @kind AND id = @id;
