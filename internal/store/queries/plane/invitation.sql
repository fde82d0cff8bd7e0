-- Each with what became of the latest mail about it.
-- name: GetInvitation :one
SELECT sqlc.embed(i), COALESCE(m.state, '') AS mail, COALESCE(m.error, '') AS mail_error
FROM invitations i
LEFT JOIN mails m ON m.id = (
    SELECT MAX(latest.id) FROM mails latest WHERE latest.reference = i.id AND latest.generation = i.generation
)
WHERE i.id = @id AND i.expires_at > @now;

-- name: ListInvitations :many
SELECT sqlc.embed(i), COALESCE(m.state, '') AS mail, COALESCE(m.error, '') AS mail_error
FROM invitations i
LEFT JOIN mails m ON m.id = (
    SELECT MAX(latest.id) FROM mails latest WHERE latest.reference = i.id AND latest.generation = i.generation
)
WHERE i.organization_id = @organization_id AND i.id > @after_id AND i.expires_at > @now
ORDER BY i.id
LIMIT CAST(@max_rows AS BIGINT);

-- name: ListInvitationsTo :many
SELECT sqlc.embed(i), COALESCE(m.state, '') AS mail, COALESCE(m.error, '') AS mail_error
FROM invitations i
LEFT JOIN mails m ON m.id = (
    SELECT MAX(latest.id) FROM mails latest WHERE latest.reference = i.id AND latest.generation = i.generation
)
WHERE i.email_key = @email_key AND i.expires_at > @now
ORDER BY i.id;

-- name: DeleteExpiredInvitations :exec
DELETE FROM invitations WHERE expires_at <= @now;

-- name: CreateInvitation :execrows
INSERT INTO invitations (id, organization_id, email, email_key, role, invited_by, created_at, expires_at, generation)
VALUES (@id, @organization_id, @email, @email_key, @role, @invited_by, @created_at, @expires_at, @generation)
ON CONFLICT (organization_id, email_key) DO UPDATE SET
    id = excluded.id,
    email = excluded.email,
    role = excluded.role,
    invited_by = excluded.invited_by,
    created_at = excluded.created_at,
    expires_at = excluded.expires_at,
    generation = excluded.generation
WHERE invitations.expires_at <= excluded.created_at;

-- name: RenewInvitation :one
UPDATE invitations SET generation = generation + 1, expires_at = @expires_at
WHERE organization_id = @organization_id AND id = @id AND expires_at > @now
RETURNING *;

-- name: TakeInvitation :one
DELETE FROM invitations
WHERE id = @id AND generation = @generation AND expires_at > @now
RETURNING *;

-- name: DeleteInvitation :execrows
DELETE FROM invitations WHERE organization_id = @organization_id AND id = @id;

-- name: CountInvitations :one
SELECT COUNT(*) FROM invitations WHERE organization_id = @organization_id AND expires_at > @now;
