package rows

import (
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
)

func mail(row planedb.Mail) cloud.Mail {
	return cloud.Mail{
		ID:         cloud.ID(row.ID),
		Kind:       cloud.MailKind(row.Kind),
		Sender:     cloud.ID(row.Sender),
		Recipient:  cloud.Email(row.Recipient),
		Reference:  row.Reference,
		Generation: row.Generation,
		CreatedAt:  instant(row.CreatedAt),
		ExpiresAt:  instant(row.ExpiresAt),
		Attempts:   row.Attempts,
		DueAt:      instant(row.DueAt),
		State:      cloud.MailState(row.State),
		Error:      row.Error,
	}
}

// CountMails implements cloud.Reader.
func (r Reader) CountMails(kind cloud.MailKind, recipient cloud.Email, since time.Time) (int64, error) {
	return r.q.CountMails(r.ctx, planedb.CountMailsParams{
		RecipientKey: recipient.Key(),
		Kind:         string(kind),
		Since:        micros(since),
	})
}

// CountMailsBy implements cloud.Reader.
func (r Reader) CountMailsBy(sender cloud.ID, since time.Time) (int64, error) {
	return r.q.CountMailsBy(r.ctx, planedb.CountMailsByParams{Sender: string(sender), Since: micros(since)})
}

// HoldRecipient implements cloud.Writer.
func (w Writer) HoldRecipient(recipient cloud.Email, at time.Time) error {
	return w.q.HoldRecipient(w.ctx, planedb.HoldRecipientParams{RecipientKey: recipient.Key(), HeldAt: micros(at)})
}

// EnqueueMail implements cloud.Writer.
func (w Writer) EnqueueMail(m cloud.Mail) error {
	n, err := w.q.EnqueueMail(w.ctx, planedb.EnqueueMailParams{
		ID:           string(m.ID),
		Kind:         string(m.Kind),
		Sender:       string(m.Sender),
		Recipient:    string(m.Recipient),
		RecipientKey: m.Recipient.Key(),
		Reference:    m.Reference,
		Generation:   m.Generation,
		CreatedAt:    micros(m.CreatedAt),
		ExpiresAt:    micros(m.ExpiresAt),
		Attempts:     m.Attempts,
		DueAt:        micros(m.DueAt),
		State:        string(m.State),
		Error:        m.Error,
	})
	return changed(n, err, cloud.Conflict("there is a mail of that id already"))
}

// LeaseMail implements cloud.Writer.
func (w Writer) LeaseMail(now, until time.Time) (cloud.Mail, error) {
	for {
		row, err := w.q.GetDueMail(w.ctx, micros(now))
		if err != nil {
			return cloud.Mail{}, missing(err, "no mail is due")
		}
		n, err := w.q.LeaseMail(w.ctx, planedb.LeaseMailParams{
			Until:    micros(until),
			ID:       row.ID,
			DueAt:    row.DueAt,
			Attempts: row.Attempts,
		})
		if err != nil {
			return cloud.Mail{}, err
		}
		if n > 0 {
			row.Attempts++
			row.DueAt = micros(until)
			return mail(row), nil
		}
		// Somebody else was faster; there may be another one.
	}
}

// SettleMail implements cloud.Writer.
func (w Writer) SettleMail(id cloud.ID, state cloud.MailState, due time.Time, cause string) error {
	if state != cloud.MailPending {
		due = time.Time{}
	}
	n, err := w.q.SettleMail(w.ctx, planedb.SettleMailParams{
		State: string(state),
		DueAt: micros(due),
		Error: cause,
		ID:    string(id),
	})
	return changed(n, err, cloud.NotFound("no mail of that id is to be sent"))
}
