-- name: GetSSHKey :one
SELECT * FROM ssh_keys WHERE user_id = @user_id AND name = @name;

-- name: GetSSHKeyByFingerprint :one
SELECT * FROM ssh_keys WHERE user_id = @user_id AND fingerprint = @fingerprint;

-- name: ListSSHKeys :many
SELECT * FROM ssh_keys
WHERE user_id = @user_id AND name > @after_name
ORDER BY name
LIMIT CAST(@max_rows AS BIGINT);

-- name: CreateSSHKey :execrows
INSERT INTO ssh_keys (user_id, name, line, fingerprint, created_at)
VALUES (@user_id, @name, @line, @fingerprint, @created_at)
ON CONFLICT DO NOTHING;

-- name: DeleteSSHKeysOf :exec
DELETE FROM ssh_keys WHERE user_id = @user_id;

-- name: DeleteSSHKey :execrows
DELETE FROM ssh_keys WHERE user_id = @user_id AND name = @name;

-- name: CountSSHKeys :one
SELECT COUNT(*) FROM ssh_keys WHERE user_id = @user_id;
