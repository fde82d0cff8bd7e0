-- name: CreatePlane :exec
INSERT INTO plane (id, health_revision, alive_at, nonce_key, mail_key) VALUES (1, 0, 0, @nonce_key, @mail_key)
ON CONFLICT DO NOTHING;

-- name: GetPlane :one
SELECT p.*, g.revision AS grant_revision FROM plane p CROSS JOIN grant_stream g;

-- name: TouchHealth :exec
UPDATE plane SET health_revision = health_revision + 1;

-- name: SetNonceKey :exec
UPDATE plane SET nonce_key = @nonce_key;

-- name: SetMailKey :exec
UPDATE plane SET mail_key = @mail_key;

-- name: MarkAlive :exec
UPDATE plane SET alive_at = @alive_at;

-- name: ListOutages :many
SELECT * FROM outages ORDER BY ended_at, began_at;

-- name: CreateOutage :exec
INSERT INTO outages (began_at, ended_at) VALUES (@began_at, @ended_at)
ON CONFLICT DO NOTHING;

-- name: DeleteOutagesOutside :exec
DELETE FROM outages WHERE ended_at < @since OR ended_at > @until;

-- name: ListIssuers :many
SELECT url FROM issuers ORDER BY position DESC;

-- name: SetIssuer :exec
INSERT INTO issuers (url, position)
SELECT CAST(@url AS TEXT), COALESCE(MAX(position), 0) + 1 FROM issuers WHERE true
ON CONFLICT (url) DO UPDATE SET position = excluded.position;
