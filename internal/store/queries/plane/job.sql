-- Of several that claim a job at once, each waits for the one before it, and
-- finds the job not due any more. One due later than it could be was put off by
-- a clock that has been set back since.
-- name: ClaimJob :execrows
INSERT INTO jobs (name, due_at) VALUES (@name, @next_at)
ON CONFLICT (name) DO UPDATE SET due_at = excluded.due_at
WHERE jobs.due_at <= @now OR jobs.due_at > @too_late;
