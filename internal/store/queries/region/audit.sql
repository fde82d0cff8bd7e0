-- name: ListAuditEntries :many
SELECT * FROM audit_entries
WHERE organization_id = @organization_id AND id > @after_id
ORDER BY id
LIMIT CAST(@max_rows AS BIGINT);

-- name: AppendAudit :execrows
INSERT INTO audit_entries (
    id, at, organization_id, actor_kind, actor_id, action, target, before, after, request_id, address
) VALUES (
    @id, @at, @organization_id, @actor_kind, @actor_id, @action, @target, @before, @after, @request_id, @address
)
ON CONFLICT DO NOTHING;
