package cloud

import "time"

// OutcomeTTL is for how long a repeated request is answered as the first was.
const OutcomeTTL = 24 * time.Hour

// MaxIdempotencyKey bounds the Idempotency-Key header, in characters.
const MaxIdempotencyKey = 255

// Outcome is what came of a request that carried an idempotency key. It is
// kept in the transaction of the request's change.
type Outcome struct {
	Caller    ID // the user; keys of different callers never meet
	Key       string
	Request   string // a hash of operation, organization and body
	Result    []byte // JSON of what was made; nil if refused
	Refusal   string // the conflict that refused it; "" if made
	CreatedAt time.Time
}

// CheckIdempotencyKey holds for the Idempotency-Key header.
func CheckIdempotencyKey(key string) error {
	if len(key) > MaxIdempotencyKey || !printable(key) {
		return Invalid("Idempotency-Key must be 1 to %d printable characters", MaxIdempotencyKey)
	}
	return nil
}
