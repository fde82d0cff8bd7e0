-- An account that is a member no more has no role.
-- name: GetServiceAccount :one
SELECT sqlc.embed(a), COALESCE(m.role, '') AS role
FROM service_accounts a
LEFT JOIN members m ON m.organization_id = a.organization_id AND m.user_id = a.user_id
WHERE a.user_id = @user_id;

-- name: ListServiceAccounts :many
SELECT sqlc.embed(a), COALESCE(m.role, '') AS role
FROM service_accounts a
LEFT JOIN members m ON m.organization_id = a.organization_id AND m.user_id = a.user_id
WHERE a.organization_id = @organization_id AND a.user_id > @after_id
ORDER BY a.user_id
LIMIT CAST(@max_rows AS BIGINT);

-- name: CreateServiceAccount :execrows
INSERT INTO service_accounts (user_id, organization_id, name, created_by, created_at)
VALUES (@user_id, @organization_id, @name, @created_by, @created_at)
ON CONFLICT DO NOTHING;

-- name: DeleteServiceAccount :execrows
DELETE FROM service_accounts WHERE user_id = @user_id;

-- name: ListServiceSecrets :many
SELECT * FROM service_secrets WHERE user_id = @user_id;

-- name: CreateServiceSecret :execrows
INSERT INTO service_secrets (id, user_id, position, hash, created_at, last_used_at)
VALUES (@id, @user_id, @position, @hash, @created_at, @last_used_at)
ON CONFLICT (user_id, position) DO NOTHING;

-- name: DeleteServiceSecret :execrows
DELETE FROM service_secrets WHERE id = @id AND user_id = @user_id;

-- name: DeleteServiceSecrets :exec
DELETE FROM service_secrets WHERE user_id = @user_id;

-- A use that is known later than the present was noted before the clock was set
-- back.
-- name: UseServiceSecret :execrows
UPDATE service_secrets SET last_used_at = @used_at
WHERE id = @id AND (last_used_at <= @long_ago OR last_used_at > @used_at);

-- name: ServiceSecretExists :one
SELECT EXISTS (SELECT 1 FROM service_secrets WHERE id = @id);

-- name: CountServiceAccounts :one
SELECT COUNT(*) FROM service_accounts WHERE organization_id = @organization_id;
