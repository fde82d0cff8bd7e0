package rows

import (
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
)

// Outcome implements cloud.Reader.
func (r Reader) Outcome(caller cloud.ID, key string, now time.Time) (cloud.Outcome, error) {
	row, err := r.q.GetOutcome(r.ctx, planedb.GetOutcomeParams{
		Caller: string(caller),
		Key:    key,
		After:  micros(now.Add(-cloud.OutcomeTTL)),
	})
	if err != nil {
		return cloud.Outcome{}, missing(err, "nothing is known of that idempotency key")
	}
	o := cloud.Outcome{
		Caller:    cloud.ID(row.Caller),
		Key:       row.Key,
		Request:   row.Request,
		Refusal:   row.Refusal,
		CreatedAt: instant(row.CreatedAt),
	}
	if row.Result != "" {
		o.Result = []byte(row.Result)
	}
	return o, nil
}

// SaveOutcome implements cloud.Writer.
func (w Writer) SaveOutcome(o cloud.Outcome) error {
	n, err := w.q.CreateOutcome(w.ctx, planedb.CreateOutcomeParams{
		Caller:    string(o.Caller),
		Key:       o.Key,
		Request:   o.Request,
		Result:    string(o.Result),
		Refusal:   o.Refusal,
		CreatedAt: micros(o.CreatedAt),
		Until:     micros(o.CreatedAt.Add(-cloud.OutcomeTTL)),
	})
	return changed(n, err, cloud.Conflict("a request with this idempotency key has been answered already"))
}

// DeleteExpiredOutcomes implements cloud.Writer.
func (w Writer) DeleteExpiredOutcomes(now time.Time) error {
	return w.q.DeleteOutcomesUntil(w.ctx, micros(now.Add(-cloud.OutcomeTTL)))
}
