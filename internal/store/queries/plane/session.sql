-- name: GetSession :one
SELECT * FROM sessions WHERE hash = @hash AND expires_at > @now;

-- name: CreateSession :execrows
INSERT INTO sessions (hash, user_id, issuer, subject, created_at, expires_at)
VALUES (@hash, @user_id, @issuer, @subject, @created_at, @expires_at)
ON CONFLICT DO NOTHING;

-- name: DeleteSession :exec
DELETE FROM sessions WHERE hash = @hash;

-- name: DeleteSessionsOf :exec
DELETE FROM sessions WHERE user_id = @user_id;

-- name: DeleteExpiredSessions :exec
DELETE FROM sessions WHERE expires_at <= @now;
