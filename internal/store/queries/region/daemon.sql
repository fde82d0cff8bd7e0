-- name: CreateDaemon :exec
INSERT INTO daemon (id, holder, fenced_at, grant_revision, audit_seq, audit_reported) VALUES (1, '', 0, 0, 0, 0)
ON CONFLICT DO NOTHING;

-- name: GetDaemon :one
SELECT * FROM daemon;

-- name: BeginDaemon :exec
UPDATE daemon SET holder = @holder, fenced_at = 0;

-- name: FenceDaemon :exec
UPDATE daemon SET fenced_at = @fenced_at WHERE holder = @holder;
