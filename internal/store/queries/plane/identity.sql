-- name: GetIdentity :one
SELECT * FROM identities WHERE issuer = @issuer AND subject = @subject;

-- name: ListIdentities :many
SELECT * FROM identities WHERE user_id = @user_id ORDER BY issuer, subject;

-- name: CreateIdentity :execrows
INSERT INTO identities (issuer, subject, user_id, email, email_key, created_at, last_used_at)
VALUES (@issuer, @subject, @user_id, @email, @email_key, @created_at, @last_used_at)
ON CONFLICT DO NOTHING;

-- name: UseIdentity :execrows
UPDATE identities SET email = @email, email_key = @email_key, last_used_at = @last_used_at
WHERE issuer = @issuer AND subject = @subject;

-- name: DeleteIdentity :execrows
DELETE FROM identities WHERE issuer = @issuer AND subject = @subject;

-- name: DeleteIdentitiesOf :exec
DELETE FROM identities WHERE user_id = @user_id;
