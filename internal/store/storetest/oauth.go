package storetest

import (
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

func authorizing(n int) cloud.Authorization {
	return cloud.Authorization{
		ID: id(n), ClientID: "cli", Parameters: []byte(`{"scope":["openid"]}`), CreatedAt: now, ExpiresAt: now.Add(cloud.AuthorizationTTL),
	}
}

func testAuthorizations(t *testing.T, open func() cloud.Store) {
	s := open()
	a, other := authorizing(501), authorizing(502)
	write(t, s, func(w cloud.Writer) error { return first(w.CreateAuthorization(a), w.CreateAuthorization(other)) })
	byID := func(at time.Time) func(cloud.Reader) (cloud.Authorization, error) {
		return func(r cloud.Reader) (cloud.Authorization, error) { return r.Authorization(a.ID, at) }
	}
	byCode := func(code cloud.SecretHash, at time.Time) func(cloud.Reader) (cloud.Authorization, error) {
		return func(r cloud.Reader) (cloud.Authorization, error) { return r.AuthorizationByCode(code, at) }
	}
	last := a.ExpiresAt.Add(-time.Microsecond)
	equal(t, "the request at its last instant", read(t, s, byID(last)), a)
	missing(t, s, "an expired request", byID(a.ExpiresAt))
	missing(t, s, "one without a code, by no code", byCode("", now))
	refused(t, s, cloud.CodeConflict, "", func(w cloud.Writer) error { return w.CreateAuthorization(authorizing(501)) })

	a.UserID, a.AuthTime, a.CodeHash = ada.ID, now.Add(time.Second), "code"
	write(t, s, func(w cloud.Writer) error {
		return first(w.AgreeAuthorization(a.ID, ada.ID, a.AuthTime), w.SaveAuthorizationCode(a.ID, "code"))
	})
	equal(t, "the request that was agreed to", read(t, s, byID(now)), a)
	equal(t, "the request by its code", read(t, s, byCode("code", last)), a)
	missing(t, s, "an expired code", byCode("code", a.ExpiresAt))
	refused(t, s, cloud.CodeConflict, "", func(w cloud.Writer) error { return w.SaveAuthorizationCode(other.ID, "code") })

	a.Family = id(601)
	write(t, s, func(w cloud.Writer) error { return w.ExchangeAuthorization(a.ID, a.Family) })
	refused(t, s, cloud.CodeConflict, "exchanged", func(w cloud.Writer) error { return w.ExchangeAuthorization(a.ID, id(602)) })
	equal(t, "the exchanged request by its code", read(t, s, byCode("code", now)), a)

	bens := authorizing(503)
	bens.UserID, bens.AuthTime = ben.ID, now
	write(t, s, func(w cloud.Writer) error { return w.CreateAuthorization(bens) })
	for _, want := range [][]cloud.Authorization{{a}, {}} {
		write(t, s, func(w cloud.Writer) error {
			got, err := w.DeleteAuthorizationsOf(ada.ID)
			equal(t, "what Ada agreed to", got, want)
			return err
		})
	}
	missing(t, s, "a request that its user took back", byID(now))
	equal(t, "somebody else's", read(t, s, func(r cloud.Reader) (cloud.Authorization, error) { return r.Authorization(bens.ID, now) }), bens)
	write(t, s, func(w cloud.Writer) error {
		_, err := w.DeleteAuthorizationsOf("")
		return err
	})
	equal(t, "nobody's", read(t, s, func(r cloud.Reader) (cloud.Authorization, error) { return r.Authorization(other.ID, now) }), other)

	write(t, s, func(w cloud.Writer) error { return first(w.CreateAuthorization(a), w.DeleteAuthorization(a.ID)) })
	missing(t, s, "a deleted request", byID(now))
	for what, change := range map[string]func(cloud.Writer) error{
		"agree":    func(w cloud.Writer) error { return w.AgreeAuthorization(a.ID, ada.ID, now) },
		"code":     func(w cloud.Writer) error { return w.SaveAuthorizationCode(a.ID, "another") },
		"exchange": func(w cloud.Writer) error { return w.ExchangeAuthorization(a.ID, id(602)) },
		"delete":   func(w cloud.Writer) error { return w.DeleteAuthorization(a.ID) },
	} {
		t.Run(what, func(t *testing.T) { refused(t, s, cloud.CodeNotFound, "", change) })
	}
}

// Of several that exchange one code one gets tokens for it.
func testAuthorizationsInParallel(t *testing.T, open func() cloud.Store) {
	s := open()
	a := authorizing(501)
	write(t, s, func(w cloud.Writer) error {
		return first(w.CreateAuthorization(a), w.SaveAuthorizationCode(a.ID, "code"))
	})
	errs := race(t, open, func(w cloud.Writer, n int) error {
		if _, err := w.AuthorizationByCode("code", now); err != nil {
			return err
		}
		return w.ExchangeAuthorization(a.ID, id(600+n))
	})
	win(t, "exchanges of a code", errs, 1, cloud.CodeConflict)
	got := read(t, s, func(r cloud.Reader) (cloud.Authorization, error) { return r.Authorization(a.ID, now) })
	for n, err := range errs {
		if err == nil {
			equal(t, "the family", got.Family, id(600+n))
		}
	}
}

func refreshing(hash cloud.SecretHash, family cloud.ID, user cloud.User) cloud.RefreshToken {
	return cloud.RefreshToken{
		Hash: hash, Family: family, UserID: user.ID, ClientID: "cli", Parameters: []byte(`{}`), TokenID: "jti of " + string(hash),
		TokenEnd: now.Add(cloud.AccessTokenTTL), AuthTime: now, CreatedAt: now, ExpiresAt: now.Add(cloud.RefreshTokenTTL),
	}
}

func testRefreshTokens(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	one, two, three, bens := refreshing("one", id(601), ada), refreshing("two", id(601), ada), refreshing("three", id(602), ada), refreshing("ben's", id(603), ben)
	two.CreatedAt = now.Add(time.Minute)
	write(t, s, func(w cloud.Writer) error {
		return first(w.CreateRefreshToken(two), w.CreateRefreshToken(one), w.CreateRefreshToken(three), w.CreateRefreshToken(bens))
	})
	get := func(hash cloud.SecretHash, at time.Time) func(cloud.Reader) (cloud.RefreshToken, error) {
		return func(r cloud.Reader) (cloud.RefreshToken, error) { return r.RefreshToken(hash, at) }
	}
	equal(t, "the token at its last instant", read(t, s, get("one", one.ExpiresAt.Add(-time.Microsecond))), one)
	missing(t, s, "an expired token", get("one", one.ExpiresAt))
	refused(t, s, cloud.CodeConflict, "", func(w cloud.Writer) error { return w.CreateRefreshToken(refreshing("one", id(604), ben)) })
	refused(t, s, cloud.CodeNotFound, "", func(w cloud.Writer) error {
		return w.CreateRefreshToken(refreshing("new", id(604), cloud.User{ID: id(1)}))
	})

	one.UsedAt = now.Add(time.Minute)
	write(t, s, func(w cloud.Writer) error { return w.UseRefreshToken("one", one.UsedAt) })
	refused(t, s, cloud.CodeConflict, "used", func(w cloud.Writer) error { return w.UseRefreshToken("one", now.Add(time.Hour)) })
	refused(t, s, cloud.CodeNotFound, "", func(w cloud.Writer) error { return w.UseRefreshToken("nobody's", now) })
	equal(t, "the token that was used", read(t, s, get("one", now)), one)

	end := func(what string, want []cloud.RefreshToken, remove func(cloud.Writer) ([]cloud.RefreshToken, error)) {
		t.Helper()
		write(t, s, func(w cloud.Writer) error {
			got, err := remove(w)
			equal(t, what, got, want)
			return err
		})
	}
	family := func(w cloud.Writer) ([]cloud.RefreshToken, error) { return w.DeleteRefreshTokens(id(601)) }
	adas := func(w cloud.Writer) ([]cloud.RefreshToken, error) { return w.DeleteRefreshTokensOf(ada.ID) }
	end("the family", []cloud.RefreshToken{one, two}, family)
	end("the family that is gone", []cloud.RefreshToken{}, family)
	end("Ada's tokens", []cloud.RefreshToken{three}, adas)
	end("Ada's tokens, which are gone", []cloud.RefreshToken{}, adas)
	equal(t, "the token of somebody else", read(t, s, get("ben's", now)), bens)
}

// Of several that use one refresh token one gets the next; and however uses and
// the end of the family meet, none of it is left.
func testRefreshTokensInParallel(t *testing.T, open func() cloud.Store) {
	s := open()
	setTheStage(t, s)
	write(t, s, func(w cloud.Writer) error { return w.CreateRefreshToken(refreshing("0", id(601), ada)) })
	errs := race(t, open, func(w cloud.Writer, _ int) error {
		if _, err := w.RefreshToken("0", now); err != nil {
			return err
		}
		return first(w.UseRefreshToken("0", now), w.CreateRefreshToken(refreshing("1", id(601), ada)))
	})
	win(t, "uses of a token", errs, 1, cloud.CodeConflict)

	race(t, open, func(w cloud.Writer, n int) error {
		if n%2 == 0 {
			_, err := w.DeleteRefreshTokens(id(601))
			return err
		}
		return first(w.UseRefreshToken("1", now), w.CreateRefreshToken(refreshing("2", id(601), ada)))
	})
	for _, hash := range []cloud.SecretHash{"0", "1", "2"} {
		missing(t, s, "a token of a family that ended", func(r cloud.Reader) (cloud.RefreshToken, error) { return r.RefreshToken(hash, now) })
	}
}

func testDeviceCodes(t *testing.T, open func() cloud.Store) {
	s := open()
	d := cloud.DeviceCode{
		Hash: "device", UserCode: "BCDFGHJK", ClientID: "cli", Scopes: []string{"openid", "offline_access"}, State: cloud.DevicePending,
		CreatedAt: now, ExpiresAt: now.Add(cloud.DeviceCodeTTL),
	}
	write(t, s, func(w cloud.Writer) error { return w.CreateDeviceCode(d) })
	byHash := func(at time.Time) func(cloud.Reader) (cloud.DeviceCode, error) {
		return func(r cloud.Reader) (cloud.DeviceCode, error) { return r.DeviceCode("device", at) }
	}
	byCode := func(at time.Time) func(cloud.Reader) (cloud.DeviceCode, error) {
		return func(r cloud.Reader) (cloud.DeviceCode, error) { return r.DeviceCodeByUserCode("BCDFGHJK", at) }
	}
	last := d.ExpiresAt.Add(-time.Microsecond)
	equal(t, "the device at its last instant", read(t, s, byHash(last)), d)
	equal(t, "the device by what the person types", read(t, s, byCode(last)), d)
	missing(t, s, "an expired device", byHash(d.ExpiresAt))
	missing(t, s, "an expired code", byCode(d.ExpiresAt))
	same := d
	same.Hash = "another"
	refused(t, s, cloud.CodeConflict, "", func(w cloud.Writer) error { return w.CreateDeviceCode(same) })

	d.State, d.UserID, d.AuthTime = cloud.DeviceApproved, ada.ID, now.Add(time.Minute)
	write(t, s, func(w cloud.Writer) error {
		return w.SetDeviceCode("device", cloud.DevicePending, cloud.DeviceApproved, ada.ID, d.AuthTime)
	})
	equal(t, "the approved device", read(t, s, byHash(now)), d)
	refused(t, s, cloud.CodeConflict, "pending", func(w cloud.Writer) error {
		return w.SetDeviceCode("device", cloud.DevicePending, cloud.DeviceDenied, ben.ID, now)
	})
	refused(t, s, cloud.CodeNotFound, "", func(w cloud.Writer) error {
		return w.SetDeviceCode("nobody's", cloud.DevicePending, cloud.DeviceDenied, ben.ID, now)
	})

	errs := race(t, open, func(w cloud.Writer, _ int) error {
		return w.SetDeviceCode("device", cloud.DeviceApproved, cloud.DeviceExchanged, ben.ID, now)
	})
	win(t, "exchanges for tokens", errs, 1, cloud.CodeConflict)
	d.State = cloud.DeviceExchanged
	equal(t, "the exchanged device, which is still Ada's", read(t, s, byHash(now)), d)

	write(t, s, func(w cloud.Writer) error { return first(w.DeleteDeviceCodesOf(ben.ID), w.DeleteDeviceCodesOf("")) })
	equal(t, "the device without those of others", read(t, s, byHash(now)), d)
	write(t, s, func(w cloud.Writer) error { return w.DeleteDeviceCodesOf(ada.ID) })
	missing(t, s, "a device that its user took back", byHash(now))
}
