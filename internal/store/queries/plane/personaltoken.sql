-- name: GetPersonalToken :one
SELECT * FROM personal_tokens WHERE id = @id AND user_id = @user_id AND expires_at > @now;

-- name: ListPersonalTokens :many
SELECT * FROM personal_tokens
WHERE user_id = @user_id AND id > @after_id AND expires_at > @now
ORDER BY id
LIMIT CAST(@max_rows AS BIGINT);

-- name: CreatePersonalToken :execrows
INSERT INTO personal_tokens (id, user_id, organization_id, name, max_role, created_at, expires_at)
VALUES (@id, @user_id, @organization_id, @name, @max_role, @created_at, @expires_at)
ON CONFLICT DO NOTHING;

-- name: DeletePersonalToken :execrows
DELETE FROM personal_tokens WHERE id = @id AND user_id = @user_id;

-- name: DeletePersonalTokensIn :many
DELETE FROM personal_tokens WHERE user_id = @user_id AND organization_id = @organization_id RETURNING *;

-- name: DeleteExpiredPersonalTokens :exec
DELETE FROM personal_tokens WHERE expires_at <= @now;

-- name: ListRevokedTokens :many
SELECT * FROM revoked_tokens WHERE user_id = @user_id ORDER BY token_id;

-- name: RevokeToken :execrows
INSERT INTO revoked_tokens (user_id, token_id, expires_at)
VALUES (@user_id, @token_id, @expires_at)
ON CONFLICT (user_id, token_id) DO UPDATE SET expires_at = excluded.expires_at
WHERE revoked_tokens.expires_at < excluded.expires_at;

-- name: DeleteExpiredRevocations :exec
DELETE FROM revoked_tokens WHERE expires_at <= @now;

-- name: CountPersonalTokens :one
SELECT COUNT(*) FROM personal_tokens WHERE user_id = @user_id AND expires_at > @now;
