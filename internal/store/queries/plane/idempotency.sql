-- name: GetOutcome :one
SELECT * FROM outcomes WHERE caller = @caller AND key = @key AND created_at > @after;

-- name: DeleteOutcomesUntil :exec
DELETE FROM outcomes WHERE created_at <= @until;

-- name: CreateOutcome :execrows
INSERT INTO outcomes (caller, key, request, result, refusal, created_at)
VALUES (@caller, @key, @request, @result, @refusal, @created_at)
ON CONFLICT (caller, key) DO UPDATE SET
    request = excluded.request,
    result = excluded.result,
    refusal = excluded.refusal,
    created_at = excluded.created_at
WHERE outcomes.created_at <= @until;
