-- name: ListSpans :many
SELECT * FROM spans WHERE machine_id = @machine_id ORDER BY begun_at, id;

-- name: PutSpan :exec
INSERT INTO spans (id, machine_id, organization_id, project_id, type, started, begun_at, ended_at)
VALUES (@id, @machine_id, @organization_id, @project_id, @type, @started, @begun_at, @ended_at)
ON CONFLICT (id) DO UPDATE SET
    machine_id = excluded.machine_id,
    organization_id = excluded.organization_id,
    project_id = excluded.project_id,
    type = excluded.type,
    started = excluded.started,
    begun_at = excluded.begun_at,
    ended_at = excluded.ended_at;
