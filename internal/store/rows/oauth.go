package rows

import (
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
)

var errNoAuthorization = cloud.NotFound("this request for authorization is over; begin another")

func authorization(row planedb.Authorization) cloud.Authorization {
	return cloud.Authorization{
		ID:         cloud.ID(row.ID),
		ClientID:   row.ClientID,
		Parameters: []byte(row.Parameters),
		UserID:     cloud.ID(row.UserID),
		AuthTime:   instant(row.AuthTime),
		CodeHash:   cloud.SecretHash(row.CodeHash),
		Family:     cloud.ID(row.Family),
		CreatedAt:  instant(row.CreatedAt),
		ExpiresAt:  instant(row.ExpiresAt),
	}
}

// Authorization implements cloud.Reader.
func (r Reader) Authorization(id cloud.ID, now time.Time) (cloud.Authorization, error) {
	row, err := r.q.GetAuthorization(r.ctx, planedb.GetAuthorizationParams{ID: string(id), Now: micros(now)})
	return authorization(row), absent(err, errNoAuthorization)
}

// AuthorizationByCode implements cloud.Reader.
func (r Reader) AuthorizationByCode(hash cloud.SecretHash, now time.Time) (cloud.Authorization, error) {
	row, err := r.q.GetAuthorizationByCode(r.ctx, planedb.GetAuthorizationByCodeParams{CodeHash: string(hash), Now: micros(now)})
	return authorization(row), missing(err, "nothing was authorized with this code, or it has expired")
}

// CreateAuthorization implements cloud.Writer.
func (w Writer) CreateAuthorization(a cloud.Authorization) error {
	n, err := w.q.CreateAuthorization(w.ctx, planedb.CreateAuthorizationParams{
		ID:         string(a.ID),
		ClientID:   a.ClientID,
		Parameters: string(a.Parameters),
		UserID:     string(a.UserID),
		AuthTime:   micros(a.AuthTime),
		CodeHash:   string(a.CodeHash),
		Family:     string(a.Family),
		CreatedAt:  micros(a.CreatedAt),
		ExpiresAt:  micros(a.ExpiresAt),
	})
	return changed(n, err, cloud.Conflict("there is a request for authorization of that id already"))
}

// AgreeAuthorization implements cloud.Writer.
func (w Writer) AgreeAuthorization(id, user cloud.ID, at time.Time) error {
	n, err := w.q.AgreeAuthorization(w.ctx, planedb.AgreeAuthorizationParams{
		UserID:   string(user),
		AuthTime: micros(at),
		ID:       string(id),
	})
	return changed(n, err, errNoAuthorization)
}

// SaveAuthorizationCode implements cloud.Writer.
func (w Writer) SaveAuthorizationCode(id cloud.ID, code cloud.SecretHash) error {
	n, err := w.q.SaveAuthorizationCode(w.ctx, planedb.SaveAuthorizationCodeParams{CodeHash: string(code), ID: string(id)})
	return changed(n, err, errNoAuthorization)
}

var errExchanged = cloud.Conflict("this was exchanged for tokens already")

// ExchangeAuthorization implements cloud.Writer.
func (w Writer) ExchangeAuthorization(id, family cloud.ID) error {
	n, err := w.q.ExchangeAuthorization(w.ctx, planedb.ExchangeAuthorizationParams{Family: string(family), ID: string(id)})
	return settled(n, err, errNoAuthorization, errExchanged,
		func() (bool, error) { return w.q.AuthorizationExists(w.ctx, string(id)) })
}

// DeleteAuthorizationsOf implements cloud.Writer.
func (w Writer) DeleteAuthorizationsOf(user cloud.ID) ([]cloud.Authorization, error) {
	rows, err := w.q.DeleteAuthorizationsOf(w.ctx, string(user))
	return each(rows, err, authorization)
}

// DeleteAuthorization implements cloud.Writer.
func (w Writer) DeleteAuthorization(id cloud.ID) error {
	n, err := w.q.DeleteAuthorization(w.ctx, string(id))
	return changed(n, err, errNoAuthorization)
}
