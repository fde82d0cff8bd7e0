-- name: GetSignIn :one
SELECT * FROM sign_ins WHERE hash = @hash AND expires_at > @now;

-- name: CreateSignIn :execrows
INSERT INTO sign_ins (
    hash, provider, email, state, nonce, verifier, return_to, link_to, attempts, created_at, expires_at
) VALUES (
    @hash, @provider, @email, @state, @nonce, @verifier, @return_to, @link_to, @attempts, @created_at, @expires_at
)
ON CONFLICT DO NOTHING;

-- name: CountSignInAttempt :one
UPDATE sign_ins SET attempts = attempts + 1 WHERE hash = @hash RETURNING attempts;

-- name: TakeSignIn :one
DELETE FROM sign_ins WHERE hash = @hash AND expires_at > @now RETURNING *;

-- name: DeleteExpiredSignIns :exec
DELETE FROM sign_ins WHERE expires_at <= @now;
