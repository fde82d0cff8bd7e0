-- name: GetMachine :one
SELECT * FROM machines WHERE id = @id;

-- name: ListMachines :many
SELECT * FROM machines WHERE project_id = @project_id ORDER BY id;

-- name: CountMachines :one
SELECT COUNT(*) FROM machines WHERE project_id = @project_id;

-- name: ListAllMachines :many
SELECT * FROM machines WHERE id > @after_id ORDER BY id LIMIT CAST(@max_rows AS BIGINT);

-- name: ListYieldingMachines :many
SELECT * FROM machines WHERE yielding = TRUE ORDER BY created_at DESC, id DESC;

-- name: ListAddresses :many
SELECT ip FROM machines WHERE ip > '' ORDER BY ip;

-- name: PutMachine :exec
INSERT INTO machines (id, organization_id, project_id, host, placed, ip, yielding, created_at, body)
VALUES (@id, @organization_id, @project_id, @host, @placed, @ip, @yielding, @created_at, @body)
ON CONFLICT (id) DO UPDATE SET
    organization_id = excluded.organization_id,
    project_id = excluded.project_id,
    host = excluded.host,
    placed = excluded.placed,
    ip = excluded.ip,
    yielding = excluded.yielding,
    created_at = excluded.created_at,
    body = excluded.body;

-- name: DeleteMachine :exec
DELETE FROM machines WHERE id = @id;

-- name: CreateInstanceCount :exec
INSERT INTO instance_counts (organization_id, type, n) VALUES (@organization_id, @type, 0)
ON CONFLICT DO NOTHING;

-- Whoever gives back is never over the limit, which may have been lowered.
-- name: AddToInstanceCount :execrows
UPDATE instance_counts SET n = n + @add
WHERE organization_id = @organization_id AND type = @type
AND n + @add >= 0 AND (@add <= 0 OR n + @add <= @most);
