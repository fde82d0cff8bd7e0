package rows

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/planedb"
)

var errNoPersonalToken = cloud.NotFound("you have no token of that id")

func personalToken(row planedb.PersonalToken) cloud.PersonalToken {
	return cloud.PersonalToken{
		ID:             cloud.ID(row.ID),
		UserID:         cloud.ID(row.UserID),
		OrganizationID: cloud.ID(row.OrganizationID),
		Name:           row.Name,
		MaxRole:        cloud.Role(row.MaxRole),
		CreatedAt:      instant(row.CreatedAt),
		ExpiresAt:      instant(row.ExpiresAt),
	}
}

// PersonalToken implements cloud.Reader.
func (r Reader) PersonalToken(user, id cloud.ID, now time.Time) (cloud.PersonalToken, error) {
	row, err := r.q.GetPersonalToken(r.ctx, planedb.GetPersonalTokenParams{ID: string(id), UserID: string(user), Now: micros(now)})
	return personalToken(row), absent(err, errNoPersonalToken)
}

// PersonalTokens implements cloud.Reader.
func (r Reader) PersonalTokens(user cloud.ID, now time.Time, page cloud.Page) ([]cloud.PersonalToken, error) {
	rows, err := r.q.ListPersonalTokens(r.ctx, planedb.ListPersonalTokensParams{
		UserID:  string(user),
		AfterID: page.After,
		Now:     micros(now),
		MaxRows: rowLimit(page.Limit),
	})
	return each(rows, err, personalToken)
}

// CreatePersonalToken implements cloud.Writer.
func (w Writer) CreatePersonalToken(t cloud.PersonalToken) error {
	n, err := w.q.CreatePersonalToken(w.ctx, planedb.CreatePersonalTokenParams{
		ID:             string(t.ID),
		UserID:         string(t.UserID),
		OrganizationID: string(t.OrganizationID),
		Name:           t.Name,
		MaxRole:        string(t.MaxRole),
		CreatedAt:      micros(t.CreatedAt),
		ExpiresAt:      micros(t.ExpiresAt),
	})
	return changed(n, err, cloud.Conflict("there is a token of that id already"))
}

// DeletePersonalToken implements cloud.Writer.
func (w Writer) DeletePersonalToken(user, id cloud.ID) error {
	n, err := w.q.DeletePersonalToken(w.ctx, planedb.DeletePersonalTokenParams{ID: string(id), UserID: string(user)})
	return changed(n, err, errNoPersonalToken)
}

// DeletePersonalTokensIn implements cloud.Writer.
func (w Writer) DeletePersonalTokensIn(organization, user cloud.ID) ([]cloud.PersonalToken, error) {
	rows, err := w.q.DeletePersonalTokensIn(w.ctx, planedb.DeletePersonalTokensInParams{
		UserID:         string(user),
		OrganizationID: string(organization),
	})
	tokens, err := each(rows, err, personalToken)
	slices.SortFunc(tokens, func(a, b cloud.PersonalToken) int { return cmp.Compare(a.ID, b.ID) })
	return tokens, err
}

// RevokedTokens implements cloud.Reader.
func (r Reader) RevokedTokens(user cloud.ID) ([]cloud.RevokedToken, error) {
	rows, err := r.q.ListRevokedTokens(r.ctx, string(user))
	return each(rows, err, func(row planedb.RevokedToken) cloud.RevokedToken {
		return cloud.RevokedToken{UserID: cloud.ID(row.UserID), TokenID: row.TokenID, ExpiresAt: instant(row.ExpiresAt)}
	})
}

// RevokeToken implements cloud.Writer.
func (w Writer) RevokeToken(t cloud.RevokedToken) error {
	if t.TokenID == "" || strings.Contains(t.TokenID, tokenSeparator) {
		return cloud.Invalid("a token's id must not be empty, and has no spaces; got %q", t.TokenID)
	}
	n, err := w.q.RevokeToken(w.ctx, planedb.RevokeTokenParams{
		UserID:    string(t.UserID),
		TokenID:   t.TokenID,
		ExpiresAt: micros(t.ExpiresAt),
	})
	if err != nil || n == 0 {
		return err // it was revoked before
	}
	return w.TouchGrants(cloud.GrantKey{Subject: t.UserID})
}

// CountPersonalTokens implements cloud.Reader.
func (r Reader) CountPersonalTokens(user cloud.ID, now time.Time) (int64, error) {
	return r.q.CountPersonalTokens(r.ctx, planedb.CountPersonalTokensParams{UserID: string(user), Now: micros(now)})
}
