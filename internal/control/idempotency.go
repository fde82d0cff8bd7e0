package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// once runs a change that makes a T, at most once for the caller's idempotency
// key ("" means that there is none). Within cloud.OutcomeTTL a repeated request
// gets what the first one got, success or conflict; the same key with another
// operation, organization or input is CodeConflict.
func once[T any](ctx context.Context, c *Control, caller cloud.Caller, action cloud.Action, key string, input any, fn func(tx cloud.Writer) (T, error)) (T, error) {
	if key == "" {
		return changing(ctx, c, caller, action, fn)
	}
	var none T
	if err := cloud.CheckIdempotencyKey(key); err != nil {
		return none, err
	}
	request, err := requestHash(caller, action, input)
	if err != nil {
		return none, err
	}
	outcome := cloud.Outcome{Caller: caller.UserID, Key: key, Request: request, CreatedAt: c.now()}
	known := false
	result, err := changing(ctx, c, caller, action, func(tx cloud.Writer) (T, error) {
		kept, err := tx.Outcome(outcome.Caller, outcome.Key, outcome.CreatedAt)
		if known = err == nil; known {
			return replay[T](kept, request)
		}
		if cloud.CodeOf(err) != cloud.CodeNotFound {
			return none, err
		}
		return withOutcome(tx, outcome, fn)
	})
	if known || cloud.CodeOf(err) != cloud.CodeConflict {
		return result, err
	}
	switch kept := c.keepRefusal(ctx, outcome, err); {
	case kept == nil:
		return result, err
	case cloud.CodeOf(kept) == cloud.CodeConflict: // an equal request came first, and its outcome is ours
		return once(ctx, c, caller, action, key, input, fn)
	default:
		return none, kept
	}
}

// withOutcome runs fn and keeps what it makes.
func withOutcome[T any](tx cloud.Writer, outcome cloud.Outcome, fn func(tx cloud.Writer) (T, error)) (T, error) {
	result, err := fn(tx)
	if err != nil {
		return result, err
	}
	if outcome.Result, err = json.Marshal(result); err != nil {
		return result, err
	}
	return result, tx.SaveOutcome(outcome)
}

// keepRefusal keeps a conflict in a transaction of its own: all that the one
// which met it did is undone.
func (c *Control) keepRefusal(ctx context.Context, outcome cloud.Outcome, refusal error) error {
	outcome.Refusal = refusal.Error()
	return c.store.Write(ctx, func(tx cloud.Writer) error { return tx.SaveOutcome(outcome) })
}

func replay[T any](kept cloud.Outcome, request string) (T, error) {
	var result T
	switch {
	case kept.Request != request:
		return result, cloud.Conflict("this Idempotency-Key was used for another request; use a new key for a new request")
	case kept.Refusal != "":
		return result, cloud.Conflict("%s", kept.Refusal)
	default:
		return result, json.Unmarshal(kept.Result, &result)
	}
}

func requestHash(caller cloud.Caller, action cloud.Action, input any) (string, error) {
	text, err := json.Marshal([]any{action, caller.Relation.OrganizationID, input})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}
