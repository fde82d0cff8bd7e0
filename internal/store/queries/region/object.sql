-- name: GetObject :one
SELECT * FROM objects WHERE kind = @kind AND id = @id;

-- name: ListObjects :many
SELECT * FROM objects
WHERE kind > @after_kind OR (kind = @after_kind AND id > @after_id)
ORDER BY kind, id
LIMIT @max_rows;

-- name: ListChangedObjects :many
SELECT * FROM objects WHERE rev > @after_rev ORDER BY rev LIMIT @max_rows;

-- name: CountObjects :many
SELECT kind, COUNT(*) AS count FROM objects GROUP BY kind;

-- name: PutObject :exec
INSERT INTO objects (kind, id, rev, body) VALUES (@kind, @id, @rev, @body)
ON CONFLICT (kind, id) DO UPDATE SET rev = excluded.rev, body = excluded.body;

-- name: DeleteObject :execrows
DELETE FROM objects WHERE kind = @kind AND id = @id;
