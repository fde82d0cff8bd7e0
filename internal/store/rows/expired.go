package rows

import (
	"context"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// DeleteExpired implements cloud.Writer.
func (w Writer) DeleteExpired(now time.Time) error {
	for _, part := range []struct {
		remove func(context.Context, int64) error
		until  time.Time
	}{
		{w.q.DeleteExpiredSessions, now},
		{w.q.DeleteExpiredSignIns, now},
		{w.q.DeleteExpiredAuthorizations, now},
		{w.q.DeleteExpiredRefreshTokens, now},
		{w.q.DeleteExpiredDeviceCodes, now},
		{w.q.DeleteExpiredPersonalTokens, now},
		{w.q.DeleteExpiredRevocations, now},
		{w.q.DeleteMailsUntil, now.Add(-cloud.MailRetention)},
		{w.q.DeleteMailRecipientsUntil, now.Add(-cloud.MailRetention)},
	} {
		if err := part.remove(w.ctx, micros(part.until)); err != nil {
			return err
		}
	}
	return nil
}
