-- What is '' picks every entry.
-- name: ListAuditEntries :many
SELECT * FROM audit_entries
WHERE organization_id = @organization_id AND id < @before_id
    AND at >= @since AND at < @until
    AND (CAST(@actor_id AS TEXT) = '' OR actor_id = @actor_id)
    AND (CAST(@action AS TEXT) = '' OR action = @action)
    AND (CAST(@target AS TEXT) = '' OR target = @target)
    AND (CAST(@region AS TEXT) = '' OR region = @region)
ORDER BY id DESC
LIMIT CAST(@max_rows AS BIGINT);

-- name: AppendAudit :execrows
INSERT INTO audit_entries (
    id, at, organization_id, actor_kind, actor_id, action, target, before, after, request_id, address,
    region, reported_id, reported_at
) VALUES (
    @id, @at, @organization_id, @actor_kind, @actor_id, @action, @target, @before, @after, @request_id, @address,
    @region, @reported_id, @reported_at
)
ON CONFLICT DO NOTHING;

-- name: DeleteAuditBefore :execrows
DELETE FROM audit_entries WHERE id IN (
    SELECT old.id FROM audit_entries old WHERE old.at < @until ORDER BY old.at LIMIT CAST(@max_rows AS BIGINT)
);
