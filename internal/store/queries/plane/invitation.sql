-- name: GetInvitation :one
SELECT * FROM invitations
WHERE organization_id = @organization_id AND id = @id AND expires_at > @now;

-- name: ListInvitations :many
SELECT * FROM invitations
WHERE organization_id = @organization_id AND id > @after_id AND expires_at > @now
ORDER BY id
LIMIT CAST(@max_rows AS BIGINT);

-- name: DeleteExpiredInvitations :exec
DELETE FROM invitations WHERE expires_at <= @now;

-- name: CreateInvitation :execrows
INSERT INTO invitations (id, organization_id, email, email_key, role, invited_by, created_at, expires_at)
VALUES (@id, @organization_id, @email, @email_key, @role, @invited_by, @created_at, @expires_at)
ON CONFLICT (organization_id, email_key) DO UPDATE SET
    id = excluded.id,
    email = excluded.email,
    role = excluded.role,
    invited_by = excluded.invited_by,
    created_at = excluded.created_at,
    expires_at = excluded.expires_at
WHERE invitations.expires_at <= excluded.created_at;

-- name: DeleteInvitation :execrows
DELETE FROM invitations WHERE organization_id = @organization_id AND id = @id;
