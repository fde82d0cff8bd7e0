-- name: GetUser :one
SELECT * FROM users WHERE id = @id;

-- name: GetUserByEmail :one
SELECT * FROM users WHERE email_key = @email_key;

-- name: CreateUser :execrows
INSERT INTO users (id, email, email_key, name, created_at)
VALUES (@id, @email, @email_key, @name, @created_at)
ON CONFLICT DO NOTHING;

-- One row per organization of the user, and one without any if there is none.
-- The plane's row is not joined, since that would cost a sort.
-- name: GetStanding :many
SELECT
    u.email,
    u.name,
    u.created_at,
    (SELECT health_revision FROM plane) AS health_revision,
    COALESCE(m.organization_id, '') AS organization_id,
    COALESCE(m.role, '') AS role,
    COALESCE(f.revision, 0) AS fleet_revision
FROM users u
LEFT JOIN members m ON m.user_id = u.id
LEFT JOIN fleets f ON f.organization_id = m.organization_id
WHERE u.id = @id
ORDER BY m.organization_id;
