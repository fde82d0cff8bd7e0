package rows

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
)

// outageTTL is how long after its end an outage is kept.
const outageTTL = 7 * 24 * time.Hour

// Plane implements cloud.Reader.
func (r Reader) Plane() (cloud.Plane, error) {
	row, err := r.q.GetPlane(r.ctx)
	if err != nil {
		return cloud.Plane{}, err
	}
	nonceKey, err := hex.DecodeString(row.NonceKey)
	if err != nil {
		return cloud.Plane{}, fmt.Errorf("the nonce key in the database is damaged: %w", err)
	}
	mailKey, err := hex.DecodeString(row.MailKey)
	if err != nil {
		return cloud.Plane{}, fmt.Errorf("the mail key in the database is damaged: %w", err)
	}
	rows, err := r.q.ListOutages(r.ctx)
	outages, err := each(rows, err, func(row planedb.Outage) cloud.Outage {
		return cloud.Outage{From: instant(row.BeganAt), To: instant(row.EndedAt)}
	})
	if err != nil {
		return cloud.Plane{}, err
	}
	issuers, err := r.q.ListIssuers(r.ctx)
	return cloud.Plane{
		HealthRevision: row.HealthRevision,
		GrantRevision:  uint64(row.GrantRevision),
		AliveAt:        instant(row.AliveAt),
		Outages:        outages,
		Issuers:        issuers,
		NonceKey:       cloud.NewSecret(string(nonceKey)),
		MailKey:        cloud.NewSecret(string(mailKey)),
	}, err
}

// TouchHealth implements cloud.Writer.
func (w Writer) TouchHealth() error { return w.q.TouchHealth(w.ctx) }

// MarkAlive implements cloud.Writer.
func (w Writer) MarkAlive(now time.Time) error { return w.q.MarkAlive(w.ctx, micros(now)) }

// RecordOutage implements cloud.Writer.
func (w Writer) RecordOutage(o cloud.Outage) error {
	if err := w.q.DeleteOutagesOutside(w.ctx, planedb.DeleteOutagesOutsideParams{
		Since: micros(o.To.Add(-outageTTL)),
		Until: micros(o.To),
	}); err != nil {
		return err
	}
	return w.q.CreateOutage(w.ctx, planedb.CreateOutageParams{
		BeganAt: micros(o.From),
		EndedAt: micros(o.To),
	})
}

// SetNonceKey implements cloud.Writer.
func (w Writer) SetNonceKey(key cloud.Secret) error {
	return w.q.SetNonceKey(w.ctx, hexadecimal(key))
}

// SetMailKey implements cloud.Writer.
func (w Writer) SetMailKey(key cloud.Secret) error {
	return w.q.SetMailKey(w.ctx, hexadecimal(key))
}

// SetIssuer implements cloud.Writer.
func (w Writer) SetIssuer(url string) error { return w.q.SetIssuer(w.ctx, url) }

func hexadecimal(key cloud.Secret) string { return hex.EncodeToString([]byte(key.Reveal())) }
