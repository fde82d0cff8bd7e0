package rows

import (
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
)

func signingKey(row planedb.SigningKey) cloud.SigningKey {
	return cloud.SigningKey{
		ID:        row.ID,
		PEM:       cloud.NewSecret(row.Pem),
		CreatedAt: instant(row.CreatedAt),
		RetiredAt: instant(row.RetiredAt),
		ExpiresAt: instant(row.ExpiresAt),
	}
}

// SigningKeys implements cloud.Reader.
func (r Reader) SigningKeys() ([]cloud.SigningKey, error) {
	rows, err := r.q.ListSigningKeys(r.ctx)
	return each(rows, err, signingKey)
}

// CreateSigningKey implements cloud.Writer.
func (w Writer) CreateSigningKey(k cloud.SigningKey) error {
	n, err := w.q.CreateSigningKey(w.ctx, planedb.CreateSigningKeyParams{
		ID:        k.ID,
		Pem:       k.PEM.Reveal(),
		CreatedAt: micros(k.CreatedAt),
		RetiredAt: micros(k.RetiredAt),
		ExpiresAt: micros(k.ExpiresAt),
	})
	return changed(n, err, cloud.Conflict("there is a signing key %q already", k.ID))
}

// RetireSigningKey implements cloud.Writer.
func (w Writer) RetireSigningKey(id string, at, expires time.Time) error {
	n, err := w.q.RetireSigningKey(w.ctx, planedb.RetireSigningKeyParams{
		RetiredAt: micros(at),
		ExpiresAt: micros(expires),
		ID:        id,
	})
	return changed(n, err, cloud.NotFound("there is no signing key %q", id))
}

// DeleteExpiredSigningKeys implements cloud.Writer.
func (w Writer) DeleteExpiredSigningKeys(now time.Time) error {
	return w.q.DeleteExpiredSigningKeys(w.ctx, micros(now))
}
