package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// attempt is what came of a request. A refusal is carried beside the error,
// because the transaction that keeps it has to commit.
type attempt[T any] struct {
	result  T
	refusal error
}

// once runs a change that makes a T, at most once for the caller's idempotency
// key ("" means that there is none). Within cloud.OutcomeTTL a repeated request
// gets what the first one got, success or conflict; the same key with another
// operation, organization or input is CodeConflict.
func once[T any](ctx context.Context, c *Control, caller cloud.Caller, action cloud.Action, key string, input any, fn func(tx cloud.Writer) (T, error)) (T, error) {
	var did attempt[T]
	if err := cloud.CheckIdempotencyKey(key); err != nil {
		return did.result, err
	}
	request, err := requestHash(caller, action, input)
	if err != nil {
		return did.result, err
	}
	err = c.changeAs(ctx, caller, action, func(tx cloud.Writer) (err error) {
		if key == "" {
			did.result, err = fn(tx)
			return err
		}
		did, err = onceIn(tx, cloud.Outcome{Caller: caller.UserID, Key: key, Request: request, CreatedAt: c.now()}, fn)
		return err
	})
	if err == nil {
		err = did.refusal
	}
	return did.result, err
}

func onceIn[T any](tx cloud.Writer, outcome cloud.Outcome, fn func(tx cloud.Writer) (T, error)) (attempt[T], error) {
	kept, err := tx.Outcome(outcome.Caller, outcome.Key, outcome.CreatedAt)
	if err == nil {
		return replay[T](kept, outcome.Request)
	}
	if cloud.CodeOf(err) != cloud.CodeNotFound {
		return attempt[T]{}, err
	}
	result, err := fn(tx)
	switch {
	case cloud.CodeOf(err) == cloud.CodeConflict:
		outcome.Refusal = err.Error()
		return attempt[T]{refusal: err}, tx.SaveOutcome(outcome)
	case err != nil:
		return attempt[T]{}, err
	}
	if outcome.Result, err = json.Marshal(result); err != nil {
		return attempt[T]{}, err
	}
	return attempt[T]{result: result}, tx.SaveOutcome(outcome)
}

func replay[T any](kept cloud.Outcome, request string) (attempt[T], error) {
	var did attempt[T]
	switch {
	case kept.Request != request:
		return did, cloud.Conflict("this Idempotency-Key was used for another request; use a new key for a new request")
	case kept.Refusal != "":
		did.refusal = cloud.Conflict("%s", kept.Refusal)
		return did, nil
	default:
		return did, json.Unmarshal(kept.Result, &did.result)
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
