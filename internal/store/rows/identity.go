package rows

import (
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
)

var errNoIdentity = cloud.NotFound("nobody has an account by this way to sign in")

func identity(row planedb.Identity) cloud.Identity {
	return cloud.Identity{
		Issuer:     row.Issuer,
		Subject:    row.Subject,
		UserID:     cloud.ID(row.UserID),
		Email:      cloud.Email(row.Email),
		CreatedAt:  instant(row.CreatedAt),
		LastUsedAt: instant(row.LastUsedAt),
	}
}

// Identity implements cloud.Reader.
func (r Reader) Identity(issuer, subject string) (cloud.Identity, error) {
	row, err := r.q.GetIdentity(r.ctx, planedb.GetIdentityParams{Issuer: issuer, Subject: subject})
	return identity(row), absent(err, errNoIdentity)
}

// Identities implements cloud.Reader.
func (r Reader) Identities(user cloud.ID) ([]cloud.Identity, error) {
	rows, err := r.q.ListIdentities(r.ctx, string(user))
	return each(rows, err, identity)
}

// CreateIdentity implements cloud.Writer.
func (w Writer) CreateIdentity(i cloud.Identity) error {
	n, err := w.q.CreateIdentity(w.ctx, planedb.CreateIdentityParams{
		Issuer:     i.Issuer,
		Subject:    i.Subject,
		UserID:     string(i.UserID),
		Email:      string(i.Email),
		EmailKey:   i.Email.Key(),
		CreatedAt:  micros(i.CreatedAt),
		LastUsedAt: micros(i.LastUsedAt),
	})
	return changed(n, err, cloud.Conflict("this way to sign in belongs to an account already"))
}

// UseIdentity implements cloud.Writer.
func (w Writer) UseIdentity(issuer, subject string, email cloud.Email, at time.Time) error {
	n, err := w.q.UseIdentity(w.ctx, planedb.UseIdentityParams{
		Email:      string(email),
		EmailKey:   email.Key(),
		LastUsedAt: micros(at),
		Issuer:     issuer,
		Subject:    subject,
	})
	return changed(n, err, errNoIdentity)
}

// DeleteIdentity implements cloud.Writer.
func (w Writer) DeleteIdentity(issuer, subject string) error {
	n, err := w.q.DeleteIdentity(w.ctx, planedb.DeleteIdentityParams{Issuer: issuer, Subject: subject})
	return changed(n, err, errNoIdentity)
}
