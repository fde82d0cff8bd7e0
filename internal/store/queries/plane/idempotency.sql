-- name: GetOutcome :one
SELECT * FROM outcomes WHERE caller = @caller AND key = @key AND created_at > @after;

-- name: DeleteOutcomesUntil :exec
DELETE FROM outcomes WHERE created_at <= @until;

-- name: CreateOutcome :execrows
INSERT INTO outcomes (caller, key, request, result, refusal, created_at)
VALUES (@caller, @key, @request, @result, @refusal, @created_at)
ON CONFLICT DO NOTHING;
