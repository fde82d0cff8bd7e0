package storetest

import (
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func testPersonalTokens(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	token := func(n int, user cloud.User, organization cloud.Organization) cloud.PersonalToken {
		return cloud.PersonalToken{
			ID: id(n), UserID: user.ID, OrganizationID: organization.ID, Name: "laptop", MaxRole: cloud.RoleEditor,
			CreatedAt: now, ExpiresAt: now.Add(time.Hour),
		}
	}
	one, two, inBeta, bens := token(801, ada, acme), token(802, ada, acme), token(803, ada, beta), token(804, ben, acme)
	two.ExpiresAt = now.Add(2 * time.Hour)
	write(t, s, func(w cloud.Writer) error {
		return first(w.CreatePersonalToken(two), w.CreatePersonalToken(one), w.CreatePersonalToken(inBeta), w.CreatePersonalToken(bens))
	})
	get := func(user, id cloud.ID, at time.Time) func(cloud.Reader) (cloud.PersonalToken, error) {
		return func(r cloud.Reader) (cloud.PersonalToken, error) { return r.PersonalToken(user, id, at) }
	}
	list := func(at time.Time) func(r cloud.Reader, p cloud.Page) ([]cloud.PersonalToken, error) {
		return func(r cloud.Reader, p cloud.Page) ([]cloud.PersonalToken, error) {
			return r.PersonalTokens(ada.ID, at, p)
		}
	}
	key := func(p cloud.PersonalToken) string { return string(p.ID) }
	last := one.ExpiresAt.Add(-time.Microsecond)
	equal(t, "the token at its last instant", read(t, s, get(ada.ID, one.ID, last)), one)
	missing(t, s, "an expired token", get(ada.ID, one.ID, one.ExpiresAt))
	missing(t, s, "the token of somebody else", get(ada.ID, bens.ID, now))
	pagedIn(t, s, "the tokens", []cloud.PersonalToken{one, two, inBeta}, key, list(last))
	pagedIn(t, s, "the tokens after some expired", []cloud.PersonalToken{two}, key, list(one.ExpiresAt))
	equal(t, "how many are good", read(t, s, func(r cloud.Reader) (int64, error) { return r.CountPersonalTokens(ada.ID, last) }), int64(3))
	equal(t, "how many are left", read(t, s, func(r cloud.Reader) (int64, error) { return r.CountPersonalTokens(ada.ID, one.ExpiresAt) }), int64(1))

	refused(t, s, cloud.CodeConflict, "token", func(w cloud.Writer) error { return w.CreatePersonalToken(token(801, ben, acme)) })
	refused(t, s, cloud.CodeNotFound, "", func(w cloud.Writer) error {
		return w.CreatePersonalToken(token(805, ada, cloud.Organization{ID: id(1)}))
	})
	refused(t, s, cloud.CodeNotFound, "token", func(w cloud.Writer) error { return w.DeletePersonalToken(ben.ID, one.ID) })
	write(t, s, func(w cloud.Writer) error { return w.DeletePersonalToken(ben.ID, bens.ID) })
	refused(t, s, cloud.CodeNotFound, "token", func(w cloud.Writer) error { return w.DeletePersonalToken(ben.ID, bens.ID) })

	for _, want := range [][]cloud.PersonalToken{{one, two}, {}} {
		write(t, s, func(w cloud.Writer) error {
			got, err := w.DeletePersonalTokensIn(acme.ID, ada.ID)
			equal(t, "the tokens that opened acme", got, want)
			return err
		})
	}
	pagedIn(t, s, "the tokens that are left", []cloud.PersonalToken{inBeta}, key, list(now))
}

func testRevokedTokens(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	standing := func(user cloud.User) []string {
		t.Helper()
		got, err := s.Standing(t.Context(), user.ID)
		if err != nil {
			t.Fatalf("Standing: %v", err)
		}
		return got.RevokedTokens
	}
	revoked := func(token string, ttl time.Duration) cloud.RevokedToken {
		return cloud.RevokedToken{UserID: ada.ID, TokenID: token, ExpiresAt: now.Add(ttl)}
	}
	b, a := revoked("b", time.Hour), revoked("a", 2*time.Hour)
	before := read(t, s, cloud.Reader.Plane).GrantRevision
	write(t, s, func(w cloud.Writer) error {
		return first(
			w.RevokeToken(b), w.RevokeToken(a),
			w.AddMember(cloud.Member{OrganizationID: acme.ID, User: ada, Role: cloud.RoleAdmin, JoinedAt: now}),
			w.AddMember(cloud.Member{OrganizationID: beta.ID, User: ada, Role: cloud.RoleAdmin, JoinedAt: now}),
		)
	})
	equal(t, "the revoked tokens in the standing", standing(ada), []string{"a", "b"})
	equal(t, "those of somebody else", standing(ben), []string(nil))
	list := func() []cloud.RevokedToken {
		return read(t, s, func(r cloud.Reader) ([]cloud.RevokedToken, error) { return r.RevokedTokens(ada.ID) })
	}
	equal(t, "the revoked tokens", list(), []cloud.RevokedToken{a, b})
	changes := read(t, s, func(r cloud.Reader) ([]cloud.GrantKey, error) { return r.GrantChanges(before, 1) })
	equal(t, "the grants that changed", changes, []cloud.GrantKey{{Subject: ada.ID}})

	// Again: the later end holds, whichever comes first.
	b = revoked("b", 3*time.Hour)
	write(t, s, func(w cloud.Writer) error { return first(w.RevokeToken(b), w.RevokeToken(revoked("a", time.Minute))) })
	equal(t, "the revoked tokens after more revocations", list(), []cloud.RevokedToken{a, b})
	for _, bad := range []string{"", "a b"} {
		refused(t, s, cloud.CodeInvalid, "token", func(w cloud.Writer) error { return w.RevokeToken(revoked(bad, time.Hour)) })
	}

	write(t, s, func(w cloud.Writer) error { return w.DeleteExpired(a.ExpiresAt) })
	equal(t, "the revoked tokens when one has ended", standing(ada), []string{"b"})
}
