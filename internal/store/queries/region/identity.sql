-- name: CreateIdentity :exec
INSERT INTO identity (id, incarnation, seq, floor, digest_count, digest_sum)
VALUES (1, @incarnation, 0, 0, 0, @digest_sum)
ON CONFLICT DO NOTHING;

-- name: GetIdentity :one
SELECT * FROM identity;

-- name: SetIdentity :exec
UPDATE identity SET
    incarnation = @incarnation,
    seq = @seq,
    floor = @floor,
    digest_count = @digest_count,
    digest_sum = @digest_sum;
