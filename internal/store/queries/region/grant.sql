-- name: ListGrants :many
SELECT * FROM grants WHERE asked_at >= @since ORDER BY asked_at;

-- name: PutGrant :exec
INSERT INTO grants (subject, organization_id, role, ssh_keys, revoked_tokens, organizations, asked_at)
VALUES (@subject, @organization_id, @role, @ssh_keys, @revoked_tokens, @organizations, @asked_at)
ON CONFLICT (subject, organization_id) DO UPDATE SET
    role = excluded.role,
    ssh_keys = excluded.ssh_keys,
    revoked_tokens = excluded.revoked_tokens,
    organizations = excluded.organizations,
    asked_at = excluded.asked_at;

-- name: DeleteGrant :exec
DELETE FROM grants WHERE subject = @subject AND organization_id = @organization_id;

-- name: DeleteGrantsBefore :exec
DELETE FROM grants WHERE asked_at < @since;

-- name: SetGrantRevision :exec
UPDATE daemon SET grant_revision = @revision;
