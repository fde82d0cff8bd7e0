-- name: ListAuditEntries :many
SELECT * FROM audit_entries
WHERE organization_id = @organization_id AND id > @after_id
ORDER BY id
LIMIT CAST(@max_rows AS BIGINT);

-- name: AppendAudit :execrows
INSERT INTO audit_entries (
    id, at, organization_id, actor_kind, actor_id, action, target, before, after, request_id, address, seq
) VALUES (
    @id, @at, @organization_id, @actor_kind, @actor_id, @action, @target, @before, @after, @request_id, @address, @seq
)
ON CONFLICT DO NOTHING;

-- name: ListAuditAfter :many
SELECT * FROM audit_entries WHERE seq > @after_seq ORDER BY seq LIMIT CAST(@max_rows AS BIGINT);

-- name: GetAuditSeq :one
SELECT seq FROM audit_entries WHERE id = @id;

-- name: NextAuditSeq :one
UPDATE daemon SET audit_seq = audit_seq + 1 RETURNING audit_seq;

-- name: SetAuditReported :exec
UPDATE daemon SET audit_reported = @reported;

-- name: PruneAudit :exec
DELETE FROM audit_entries WHERE id IN (
    SELECT old.id FROM audit_entries old
    WHERE old.at < @until AND old.seq < @reported
    ORDER BY old.at LIMIT CAST(@max_rows AS BIGINT)
);
