-- name: EnqueueMail :execrows
INSERT INTO mails (
    id, kind, sender, recipient, recipient_key, reference, generation, created_at, expires_at, attempts, due_at, state, error
) VALUES (
    @id, @kind, @sender, @recipient, @recipient_key, @reference, @generation, @created_at, @expires_at, @attempts, @due_at, @state, @error
)
ON CONFLICT DO NOTHING;

-- name: CountMails :one
SELECT COUNT(*) FROM mails
WHERE recipient_key = @recipient_key AND kind = @kind AND created_at >= @since;

-- name: CountMailsBy :one
SELECT COUNT(*) FROM mails
WHERE sender = @sender AND sender <> '' AND created_at >= @since;

-- name: HoldRecipient :exec
INSERT INTO mail_recipients (recipient_key, held_at)
VALUES (@recipient_key, @held_at)
ON CONFLICT (recipient_key) DO UPDATE SET held_at = excluded.held_at;

-- name: DeleteMailRecipientsUntil :exec
DELETE FROM mail_recipients WHERE held_at <= @until;

-- name: GetDueMail :one
SELECT * FROM mails
WHERE due_at <> 0 AND due_at <= @now AND expires_at > @now
ORDER BY due_at, id
LIMIT 1;

-- Of several that found the same mail one changes it: the others wait for that
-- one, and find it due at another time.
-- name: LeaseMail :execrows
UPDATE mails SET attempts = attempts + 1, due_at = @until
WHERE id = @id AND due_at = @due_at AND attempts = @attempts;

-- name: SettleMail :execrows
UPDATE mails SET state = @state, due_at = @due_at, error = @error
WHERE id = @id AND state <> 'sent';

-- name: DeleteMailsUntil :exec
DELETE FROM mails WHERE expires_at <= @until;
