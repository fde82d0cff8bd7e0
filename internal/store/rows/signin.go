package rows

import (
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
)

var errNoSignIn = cloud.NotFound("this sign-in is over; begin another")

func signIn(row planedb.SignIn) cloud.SignIn {
	return cloud.SignIn{
		Hash:      cloud.SecretHash(row.Hash),
		Provider:  row.Provider,
		Email:     cloud.Email(row.Email),
		State:     row.State,
		Nonce:     row.Nonce,
		Verifier:  cloud.NewSecret(row.Verifier),
		ReturnTo:  row.ReturnTo,
		LinkTo:    cloud.ID(row.LinkTo),
		Attempts:  row.Attempts,
		CreatedAt: instant(row.CreatedAt),
		ExpiresAt: instant(row.ExpiresAt),
	}
}

// SignIn implements cloud.Reader.
func (r Reader) SignIn(hash cloud.SecretHash, now time.Time) (cloud.SignIn, error) {
	row, err := r.q.GetSignIn(r.ctx, planedb.GetSignInParams{Hash: string(hash), Now: micros(now)})
	return signIn(row), absent(err, errNoSignIn)
}

// CreateSignIn implements cloud.Writer.
func (w Writer) CreateSignIn(s cloud.SignIn) error {
	n, err := w.q.CreateSignIn(w.ctx, planedb.CreateSignInParams{
		Hash:      string(s.Hash),
		Provider:  s.Provider,
		Email:     string(s.Email),
		State:     s.State,
		Nonce:     s.Nonce,
		Verifier:  s.Verifier.Reveal(),
		ReturnTo:  s.ReturnTo,
		LinkTo:    string(s.LinkTo),
		Attempts:  s.Attempts,
		CreatedAt: micros(s.CreatedAt),
		ExpiresAt: micros(s.ExpiresAt),
	})
	return changed(n, err, cloud.Conflict("there is a sign-in of that secret already"))
}

// CountSignInAttempt implements cloud.Writer.
func (w Writer) CountSignInAttempt(hash cloud.SecretHash) (int64, error) {
	attempts, err := w.q.CountSignInAttempt(w.ctx, string(hash))
	return attempts, absent(err, errNoSignIn)
}

// TakeSignIn implements cloud.Writer.
func (w Writer) TakeSignIn(hash cloud.SecretHash, now time.Time) (cloud.SignIn, error) {
	row, err := w.q.TakeSignIn(w.ctx, planedb.TakeSignInParams{Hash: string(hash), Now: micros(now)})
	return signIn(row), absent(err, errNoSignIn)
}
