-- name: GetLink :one
SELECT * FROM links WHERE region = @region;

-- name: ListLinks :many
SELECT * FROM links ORDER BY region;

-- name: PutLink :exec
INSERT INTO links (
    region, incarnation, epoch, applied_seq, heard_seq, audit_last, digest_count, digest_sum, synced_at, sources,
    clock, held, missing_since,
    snapshot_id, snapshot_seq, snapshot_begun_at, snapshot_had, snapshot_next_page, snapshot_digest_count, snapshot_digest_sum
) VALUES (
    @region, @incarnation, @epoch, @applied_seq, @heard_seq, @audit_last, @digest_count, @digest_sum, @synced_at, @sources,
    @clock, @held, @missing_since,
    @snapshot_id, @snapshot_seq, @snapshot_begun_at, @snapshot_had, @snapshot_next_page, @snapshot_digest_count, @snapshot_digest_sum
)
ON CONFLICT (region) DO UPDATE SET
    incarnation = excluded.incarnation,
    epoch = excluded.epoch,
    applied_seq = excluded.applied_seq,
    heard_seq = excluded.heard_seq,
    audit_last = excluded.audit_last,
    digest_count = excluded.digest_count,
    digest_sum = excluded.digest_sum,
    synced_at = excluded.synced_at,
    sources = excluded.sources,
    clock = excluded.clock,
    held = excluded.held,
    missing_since = excluded.missing_since,
    snapshot_id = excluded.snapshot_id,
    snapshot_seq = excluded.snapshot_seq,
    snapshot_begun_at = excluded.snapshot_begun_at,
    snapshot_had = excluded.snapshot_had,
    snapshot_next_page = excluded.snapshot_next_page,
    snapshot_digest_count = excluded.snapshot_digest_count,
    snapshot_digest_sum = excluded.snapshot_digest_sum;
