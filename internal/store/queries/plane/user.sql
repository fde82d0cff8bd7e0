-- name: GetUser :one
SELECT * FROM users WHERE id = @id;

-- name: GetUserByEmail :one
SELECT * FROM users WHERE email_key = @email_key;

-- name: CreateUser :execrows
INSERT INTO users (id, email, email_key, name, kind, created_at)
VALUES (@id, @email, @email_key, @name, @kind, @created_at)
ON CONFLICT DO NOTHING;

-- name: UpdateUser :execrows
UPDATE users SET name = @name, email = @email, email_key = @email_key WHERE id = @id;

-- name: LockUser :execrows
UPDATE users SET id = id WHERE id = @id;

-- name: SuspendUser :execrows
UPDATE users SET suspended_at = @suspended_at WHERE id = @id;

-- name: DeleteUser :execrows
DELETE FROM users WHERE id = @id;

-- One row per organization of the user, and one without any if there is none.
-- The plane's row is not joined, since that would cost a sort. What does not
-- depend on the row is looked up once.
-- name: GetStanding :many
SELECT
    u.email,
    u.name,
    u.kind,
    u.created_at,
    u.suspended_at,
    (SELECT health_revision FROM plane) AS health_revision,
    CAST(COALESCE((SELECT string_agg(t.token_id, ' ') FROM revoked_tokens t WHERE t.user_id = @id), '') AS TEXT) AS revoked_tokens,
    COALESCE(m.organization_id, '') AS organization_id,
    COALESCE(m.role, '') AS role,
    COALESCE(o.suspended_at, 0) AS organization_suspended_at,
    COALESCE(f.revision, 0) AS fleet_revision
FROM users u
LEFT JOIN members m ON m.user_id = u.id
LEFT JOIN organizations o ON o.id = m.organization_id
LEFT JOIN fleets f ON f.organization_id = m.organization_id
WHERE u.id = @id
ORDER BY m.organization_id;
