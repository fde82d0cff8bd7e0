-- name: GetAuthorization :one
SELECT * FROM authorizations WHERE id = @id AND expires_at > @now;

-- name: GetAuthorizationByCode :one
SELECT * FROM authorizations WHERE code_hash = @code_hash AND code_hash <> '' AND expires_at > @now;

-- name: CreateAuthorization :execrows
INSERT INTO authorizations (id, client_id, parameters, user_id, auth_time, code_hash, family, created_at, expires_at)
VALUES (@id, @client_id, @parameters, @user_id, @auth_time, @code_hash, @family, @created_at, @expires_at)
ON CONFLICT DO NOTHING;

-- name: AgreeAuthorization :execrows
UPDATE authorizations SET user_id = @user_id, auth_time = @auth_time WHERE id = @id;

-- name: SaveAuthorizationCode :execrows
UPDATE authorizations SET code_hash = @code_hash WHERE id = @id;

-- name: ExchangeAuthorization :execrows
UPDATE authorizations SET family = @family WHERE id = @id AND family = '';

-- name: AuthorizationExists :one
SELECT EXISTS (SELECT 1 FROM authorizations WHERE id = @id);

-- name: DeleteAuthorization :execrows
DELETE FROM authorizations WHERE id = @id;

-- name: DeleteAuthorizationsOf :many
DELETE FROM authorizations WHERE user_id = @user_id AND user_id <> '' RETURNING *;

-- name: DeleteExpiredAuthorizations :exec
DELETE FROM authorizations WHERE expires_at <= @now;

-- name: GetRefreshToken :one
SELECT * FROM refresh_tokens WHERE hash = @hash AND expires_at > @now;

-- name: CreateRefreshToken :execrows
INSERT INTO refresh_tokens (
    hash, family, user_id, client_id, parameters, token_id, token_end, auth_time, created_at, expires_at, used_at
) VALUES (
    @hash, @family, @user_id, @client_id, @parameters, @token_id, @token_end, @auth_time, @created_at, @expires_at, @used_at
)
ON CONFLICT DO NOTHING;

-- name: UseRefreshToken :execrows
UPDATE refresh_tokens SET used_at = @used_at WHERE hash = @hash AND used_at = 0;

-- name: RefreshTokenExists :one
SELECT EXISTS (SELECT 1 FROM refresh_tokens WHERE hash = @hash);

-- name: DeleteRefreshTokens :many
DELETE FROM refresh_tokens WHERE family = @family RETURNING *;

-- name: DeleteRefreshTokensOf :many
DELETE FROM refresh_tokens WHERE user_id = @user_id RETURNING *;

-- name: DeleteExpiredRefreshTokens :exec
DELETE FROM refresh_tokens WHERE expires_at <= @now;

-- name: GetDeviceCode :one
SELECT * FROM device_codes WHERE hash = @hash AND expires_at > @now;

-- name: GetDeviceCodeByUserCode :one
SELECT * FROM device_codes WHERE user_code = @user_code AND expires_at > @now;

-- name: CreateDeviceCode :execrows
INSERT INTO device_codes (hash, user_code, client_id, scopes, state, user_id, auth_time, created_at, expires_at)
VALUES (@hash, @user_code, @client_id, @scopes, @state, @user_id, @auth_time, @created_at, @expires_at)
ON CONFLICT DO NOTHING;

-- Whoever approved it stays so.
-- name: SetDeviceCode :execrows
UPDATE device_codes SET
    state = @next_state,
    user_id = CASE WHEN user_id = '' THEN CAST(@user_id AS TEXT) ELSE user_id END,
    auth_time = CASE WHEN user_id = '' THEN CAST(@auth_time AS BIGINT) ELSE auth_time END
WHERE hash = @hash AND state = @former_state;

-- name: DeviceCodeExists :one
SELECT EXISTS (SELECT 1 FROM device_codes WHERE hash = @hash);

-- name: DeleteDeviceCodesOf :exec
DELETE FROM device_codes WHERE user_id = @user_id AND user_id <> '';

-- name: DeleteExpiredDeviceCodes :exec
DELETE FROM device_codes WHERE expires_at <= @now;
