-- name: ListSigningKeys :many
SELECT * FROM signing_keys ORDER BY created_at DESC, id DESC;

-- name: CreateSigningKey :execrows
INSERT INTO signing_keys (id, pem, created_at, retired_at, expires_at)
VALUES (@id, @pem, @created_at, @retired_at, @expires_at)
ON CONFLICT DO NOTHING;

-- name: RetireSigningKey :execrows
UPDATE signing_keys SET retired_at = @retired_at, expires_at = @expires_at WHERE id = @id;

-- name: DeleteExpiredSigningKeys :exec
DELETE FROM signing_keys WHERE expires_at <> 0 AND expires_at <= @now;
