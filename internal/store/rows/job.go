package rows

import (
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
)

// ClaimJob implements cloud.Writer.
func (w Writer) ClaimJob(job cloud.Job, now time.Time) (bool, error) {
	next := now.Add(job.Every)
	n, err := w.q.ClaimJob(w.ctx, planedb.ClaimJobParams{
		Name:    job.Name,
		NextAt:  micros(next),
		Now:     micros(now),
		TooLate: micros(next.Add(cloud.ClockPlay)),
	})
	return n > 0, err
}
