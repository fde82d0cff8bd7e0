-- name: GetMember :one
SELECT sqlc.embed(m), sqlc.embed(u)
FROM members m
JOIN users u ON u.id = m.user_id
WHERE m.organization_id = @organization_id AND m.user_id = @user_id;

-- Persons, as in the next.
-- name: ListMembers :many
SELECT sqlc.embed(m), sqlc.embed(u)
FROM members m
JOIN users u ON u.id = m.user_id
WHERE m.organization_id = @organization_id AND m.user_id > @after_id AND u.kind = 'person'
ORDER BY m.user_id
LIMIT CAST(@max_rows AS BIGINT);

-- name: CountAdmins :one
SELECT COUNT(*)
FROM members m
JOIN users u ON u.id = m.user_id
WHERE m.organization_id = @organization_id AND m.role = 'admin' AND u.kind = 'person';

-- name: AddMember :execrows
INSERT INTO members (organization_id, user_id, role, joined_at)
VALUES (@organization_id, @user_id, @role, @joined_at)
ON CONFLICT DO NOTHING;

-- name: SetRole :execrows
UPDATE members SET role = @role WHERE organization_id = @organization_id AND user_id = @user_id;

-- name: RemoveMember :execrows
DELETE FROM members WHERE organization_id = @organization_id AND user_id = @user_id;
