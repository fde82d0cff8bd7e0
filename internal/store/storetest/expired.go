package storetest

import (
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// What has expired goes, and nothing else does.
func testDeleteExpired(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	begin, end := now.Add(-time.Hour), now
	write(t, s, func(w cloud.Writer) error {
		for n, end := range []time.Time{end, end.Add(time.Microsecond)} {
			hash := cloud.SecretHash(id(n))
			authorization, token := authorizing(501+n), refreshing(hash, id(601+n), ada)
			authorization.CodeHash, authorization.ExpiresAt, token.ExpiresAt = hash, end, end
			if err := first(
				w.CreateSession(cloud.Session{Hash: hash, UserID: ada.ID, CreatedAt: begin, ExpiresAt: end}),
				w.CreateSignIn(cloud.SignIn{Hash: hash, CreatedAt: begin, ExpiresAt: end}),
				w.CreateAuthorization(authorization), w.CreateRefreshToken(token),
				w.CreateDeviceCode(cloud.DeviceCode{Hash: hash, UserCode: string(hash), CreatedAt: begin, ExpiresAt: end}),
				w.CreatePersonalToken(cloud.PersonalToken{ID: id(n), UserID: ada.ID, OrganizationID: acme.ID, CreatedAt: begin, ExpiresAt: end}),
				w.RevokeToken(cloud.RevokedToken{UserID: ada.ID, TokenID: string(hash), ExpiresAt: end}),
			); err != nil {
				return err
			}
		}
		return w.DeleteExpired(now)
	})
	for n, want := range []cloud.Code{cloud.CodeNotFound, ""} {
		hash := cloud.SecretHash(id(n))
		for what, get := range map[string]func(cloud.Reader) error{
			"session":        func(r cloud.Reader) error { _, err := r.Session(hash, begin); return err },
			"sign-in":        func(r cloud.Reader) error { _, err := r.SignIn(hash, begin); return err },
			"authorization":  func(r cloud.Reader) error { _, err := r.AuthorizationByCode(hash, begin); return err },
			"refresh token":  func(r cloud.Reader) error { _, err := r.RefreshToken(hash, begin); return err },
			"device":         func(r cloud.Reader) error { _, err := r.DeviceCode(hash, begin); return err },
			"personal token": func(r cloud.Reader) error { _, err := r.PersonalToken(ada.ID, id(n), begin); return err },
		} {
			if err := s.Read(t.Context(), get); cloud.CodeOf(err) != want {
				t.Errorf("the %s of number %d: got the error %v; want the code %q", what, n, err, want)
			}
		}
	}
	revoked := read(t, s, func(r cloud.Reader) ([]cloud.RevokedToken, error) { return r.RevokedTokens(ada.ID) })
	equal(t, "the number of revoked tokens", len(revoked), 1)
}
