package rows

import (
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
)

// Session implements cloud.Reader.
func (r Reader) Session(hash cloud.SecretHash, now time.Time) (cloud.Session, error) {
	row, err := r.q.GetSession(r.ctx, planedb.GetSessionParams{Hash: string(hash), Now: micros(now)})
	return cloud.Session{
		Hash:      cloud.SecretHash(row.Hash),
		UserID:    cloud.ID(row.UserID),
		Issuer:    row.Issuer,
		Subject:   row.Subject,
		CreatedAt: instant(row.CreatedAt),
		ExpiresAt: instant(row.ExpiresAt),
	}, missing(err, "this browser is not signed in")
}

// CreateSession implements cloud.Writer.
func (w Writer) CreateSession(s cloud.Session) error {
	n, err := w.q.CreateSession(w.ctx, planedb.CreateSessionParams{
		Hash:      string(s.Hash),
		UserID:    string(s.UserID),
		Issuer:    s.Issuer,
		Subject:   s.Subject,
		CreatedAt: micros(s.CreatedAt),
		ExpiresAt: micros(s.ExpiresAt),
	})
	return changed(n, err, cloud.Conflict("there is a session of that secret already"))
}

// DeleteSession implements cloud.Writer.
func (w Writer) DeleteSession(hash cloud.SecretHash) error {
	return w.q.DeleteSession(w.ctx, string(hash))
}

// DeleteSessions implements cloud.Writer.
func (w Writer) DeleteSessions(user cloud.ID) error {
	return w.q.DeleteSessionsOf(w.ctx, string(user))
}
