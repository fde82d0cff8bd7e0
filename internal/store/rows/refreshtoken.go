package rows

import (
	"cmp"
	"slices"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
)

var errNoRefreshToken = cloud.NotFound("this refresh token does not exist, has expired or was revoked")

func refreshToken(row planedb.RefreshToken) cloud.RefreshToken {
	return cloud.RefreshToken{
		Hash:       cloud.SecretHash(row.Hash),
		Family:     cloud.ID(row.Family),
		UserID:     cloud.ID(row.UserID),
		ClientID:   row.ClientID,
		Parameters: []byte(row.Parameters),
		TokenID:    row.TokenID,
		TokenEnd:   instant(row.TokenEnd),
		AuthTime:   instant(row.AuthTime),
		CreatedAt:  instant(row.CreatedAt),
		ExpiresAt:  instant(row.ExpiresAt),
		UsedAt:     instant(row.UsedAt),
	}
}

// RefreshToken implements cloud.Reader.
func (r Reader) RefreshToken(hash cloud.SecretHash, now time.Time) (cloud.RefreshToken, error) {
	row, err := r.q.GetRefreshToken(r.ctx, planedb.GetRefreshTokenParams{Hash: string(hash), Now: micros(now)})
	return refreshToken(row), absent(err, errNoRefreshToken)
}

// CreateRefreshToken implements cloud.Writer.
func (w Writer) CreateRefreshToken(t cloud.RefreshToken) error {
	n, err := w.q.CreateRefreshToken(w.ctx, planedb.CreateRefreshTokenParams{
		Hash:       string(t.Hash),
		Family:     string(t.Family),
		UserID:     string(t.UserID),
		ClientID:   t.ClientID,
		Parameters: string(t.Parameters),
		TokenID:    t.TokenID,
		TokenEnd:   micros(t.TokenEnd),
		AuthTime:   micros(t.AuthTime),
		CreatedAt:  micros(t.CreatedAt),
		ExpiresAt:  micros(t.ExpiresAt),
		UsedAt:     micros(t.UsedAt),
	})
	return changed(n, err, cloud.Conflict("this refresh token exists already"))
}

// UseRefreshToken implements cloud.Writer.
func (w Writer) UseRefreshToken(hash cloud.SecretHash, at time.Time) error {
	n, err := w.q.UseRefreshToken(w.ctx, planedb.UseRefreshTokenParams{UsedAt: micros(at), Hash: string(hash)})
	return settled(n, err, errNoRefreshToken, cloud.Conflict("this refresh token was used already"),
		func() (bool, error) { return w.q.RefreshTokenExists(w.ctx, string(hash)) })
}

// DeleteRefreshTokens implements cloud.Writer.
func (w Writer) DeleteRefreshTokens(family cloud.ID) ([]cloud.RefreshToken, error) {
	return deleteRefreshTokens(func() ([]planedb.RefreshToken, error) { return w.q.DeleteRefreshTokens(w.ctx, string(family)) })
}

// DeleteRefreshTokensOf implements cloud.Writer.
func (w Writer) DeleteRefreshTokensOf(user cloud.ID) ([]cloud.RefreshToken, error) {
	return deleteRefreshTokens(func() ([]planedb.RefreshToken, error) { return w.q.DeleteRefreshTokensOf(w.ctx, string(user)) })
}

// deleteRefreshTokens deletes until there is nothing left: where a deletion
// waits for a use of a token in PostgreSQL, it does not see the next token that
// the use made.
func deleteRefreshTokens(some func() ([]planedb.RefreshToken, error)) ([]cloud.RefreshToken, error) {
	deleted := []cloud.RefreshToken{}
	for {
		rows, err := some()
		tokens, err := each(rows, err, refreshToken)
		if err != nil {
			return nil, err
		}
		if len(tokens) == 0 {
			break
		}
		deleted = append(deleted, tokens...)
	}
	slices.SortFunc(deleted, func(a, b cloud.RefreshToken) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.Hash, b.Hash))
	})
	return deleted, nil
}
