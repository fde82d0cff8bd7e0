-- name: GetOrganization :one
SELECT * FROM organizations WHERE id = @id;

-- name: GetOrganizationByName :one
SELECT * FROM organizations WHERE name = @name;

-- name: GetFirstOrganization :one
SELECT * FROM organizations ORDER BY created_at, id LIMIT 1;

-- name: ListOrganizationsOf :many
SELECT o.*
FROM members m
JOIN organizations o ON o.id = m.organization_id
WHERE m.user_id = @user_id AND m.organization_id > @after_id
ORDER BY m.organization_id
LIMIT CAST(@max_rows AS BIGINT);

-- name: CountFounded :one
SELECT COUNT(*) FROM organizations WHERE founded_by = @founded_by AND founded_by <> '';

-- name: CreateOrganization :execrows
INSERT INTO organizations (id, name, display_name, created_at, founded_by)
VALUES (@id, @name, @display_name, @created_at, @founded_by)
ON CONFLICT DO NOTHING;

-- name: UpdateOrganization :execrows
UPDATE organizations SET display_name = @display_name WHERE id = @id;

-- name: SuspendOrganization :execrows
UPDATE organizations SET suspended_at = @suspended_at WHERE id = @id;

-- A write that changes nothing holds the row in every database.
-- name: LockOrganization :execrows
UPDATE organizations SET id = id WHERE id = @id;

-- name: CreateFleet :exec
INSERT INTO fleets (organization_id, revision) VALUES (@organization_id, 0);

-- name: TouchFleet :exec
UPDATE fleets SET revision = revision + 1 WHERE organization_id = @organization_id;

-- name: TouchAccounts :exec
UPDATE organizations SET account_revision = account_revision + 1 WHERE id = @id;

-- name: OrganizationExists :one
SELECT EXISTS (SELECT 1 FROM organizations WHERE id = @id);
