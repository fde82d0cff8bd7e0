package oauth_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"github.com/penstock-cloud/penstock/internal/auth/oauth"
	"github.com/penstock-cloud/penstock/internal/cloud"
)

func (p *plane) device(scopes string) *oauth2.DeviceAuthResponse {
	p.t.Helper()
	d, err := p.cli(scopes).DeviceAuth(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return d
}

func (p *plane) poll(client, code string) answer {
	p.t.Helper()
	return p.post(oauth.TokenPath, "grant_type", "urn:ietf:params:oauth:grant-type:device_code", "client_id", client, "device_code", code)
}

func TestDeviceFlow(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	ada := p.person("Ada")
	d := p.device(allScopes + " x")
	if d.VerificationURI != p.url+"/device" || d.VerificationURIComplete != p.url+"/device?user_code="+d.UserCode || d.Interval != 5 {
		t.Errorf("got %+v", d)
	}
	if len(d.UserCode) != 9 || d.UserCode[4] != '-' || strings.ContainsAny(d.UserCode, "0123456789AEIOUY") || len(d.DeviceCode) != len("psd_")+43 {
		t.Errorf("got the codes %s and %s", d.UserCode, d.DeviceCode)
	}
	if a := p.poll(oauth.ClientCLI, d.DeviceCode); a.kind() != "authorization_pending" || a.status != http.StatusBadRequest {
		t.Errorf("before: %v", a)
	}
	want := oauth.Device{
		UserCode: d.UserCode, ClientID: "penstock-cli", ClientName: "Penstock command line",
		Scopes: strings.Fields(allScopes), ExpiresAt: start.Add(cloud.DeviceCodeTTL),
	}
	for _, typed := range []string{d.UserCode, strings.ToLower(d.UserCode), strings.ReplaceAll(d.UserCode, "-", ""), " " + strings.ReplaceAll(d.UserCode, "-", " ") + " "} {
		got, err := p.DeviceByUserCode(t.Context(), typed)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	signedIn := start.Add(-time.Minute)
	if err := p.ApproveDevice(oauth.WithOrigin(t.Context(), cloud.Origin{Address: address}), strings.ToLower(d.UserCode), ada, signedIn); err != nil {
		t.Fatal(err)
	}
	p.clock.advance(5 * time.Second)
	a := p.poll(oauth.ClientCLI, d.DeviceCode)
	if a.status != http.StatusOK || a.body["scope"] != allScopes || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("exchange: %v", a)
	}
	if !p.alive(a.body["access_token"].(string)) {
		t.Error("the token is of no use")
	}
	if id := claimsOf(t, a.body["id_token"].(string)); id["sub"] != string(ada) || id["auth_time"] != float64(signedIn.Unix()) {
		t.Errorf("got the ID token %v", id)
	}
	if again := p.poll(oauth.ClientCLI, d.DeviceCode); again.kind() != "invalid_grant" {
		t.Errorf("exchanged twice: %v", again)
	}
	if next := p.refreshed(oauth.ClientCLI, a.body["refresh_token"].(string)); next.status != http.StatusOK {
		t.Errorf("refresh: %v", next)
	}
	p.wantAudit("", "device.approve", ada, cloud.Actor{Kind: cloud.ActorUser, ID: string(ada)})
	if e := p.auditedIn("")[0]; e.Origin.Address != address {
		t.Errorf("got the origin %+v", e.Origin)
	}
	// Answered once is answered.
	for name, err := range map[string]error{
		"approve": p.ApproveDevice(t.Context(), d.UserCode, ada, start), "deny": p.DenyDevice(t.Context(), d.UserCode, ada),
	} {
		if cloud.CodeOf(err) != cloud.CodeNotFound {
			t.Errorf("%s again: got %v; want %s", name, err, cloud.CodeNotFound)
		}
	}
}

func TestDeviceSlowsDown(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	d, other := p.device("openid"), p.device("openid")
	for i, c := range []struct {
		wait time.Duration
		kind string
	}{
		{0, "authorization_pending"},
		{5 * time.Second, "authorization_pending"},
		{4 * time.Second, "authorization_pending"}, // the ways differ
		{time.Second, "slow_down"},                 // ten from now on
		{5 * time.Second, "slow_down"},             // fifteen
		{15 * time.Second, "authorization_pending"},
		{10 * time.Second, "slow_down"}, // twenty
		{20 * time.Second, "authorization_pending"},
		{-time.Hour, "authorization_pending"}, // a clock that was set back
	} {
		p.clock.advance(c.wait)
		if a := p.poll(oauth.ClientCLI, d.DeviceCode); a.kind() != c.kind {
			t.Errorf("question %d: got %v; want %s", i, a, c.kind)
		}
	}
	if a := p.poll(oauth.ClientCLI, other.DeviceCode); a.kind() != "authorization_pending" {
		t.Errorf("another device: %v", a)
	}
}

func TestDeviceDenied(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	d := p.device("openid")
	if err := p.DenyDevice(t.Context(), d.UserCode, p.person("Ada")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if a := p.poll(oauth.ClientCLI, d.DeviceCode); a.kind() != "access_denied" {
			t.Errorf("got %v", a)
		}
	}
}

func TestDeviceExpires(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	ada := p.person("Ada")
	d, approved := p.device("openid"), p.device("openid")
	if err := p.ApproveDevice(t.Context(), approved.UserCode, ada, start); err != nil {
		t.Fatal(err)
	}
	p.clock.advance(cloud.DeviceCodeTTL)
	if err := p.ApproveDevice(t.Context(), d.UserCode, ada, start); cloud.CodeOf(err) != cloud.CodeNotFound {
		t.Errorf("approve: got %v; want %s", err, cloud.CodeNotFound)
	}
	for _, code := range []string{d.DeviceCode, approved.DeviceCode, "psd_0"} {
		if a := p.poll(oauth.ClientCLI, code); a.kind() != "expired_token" {
			t.Errorf("got %v", a)
		}
	}
}

func TestDeviceExchangedAtOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, p *plane) {
		d := p.device(allScopes)
		if err := p.ApproveDevice(t.Context(), d.UserCode, p.person("Ada"), start); err != nil {
			t.Fatal(err)
		}
		got := atOnce(8, func() string {
			a := p.poll(oauth.ClientCLI, d.DeviceCode)
			if a.status != http.StatusOK && a.kind() != "invalid_grant" {
				t.Errorf("got %v", a)
			}
			token, _ := a.body["access_token"].(string)
			return token
		})
		if len(got) != 1 || !p.alive(got[0]) {
			t.Errorf("%d got tokens; want one", len(got))
		}
	})
}

func TestDeviceRefuses(t *testing.T) {
	t.Parallel()
	p := newPlane(t)
	ada, bob := p.person("Ada"), p.person("Bob")
	acme := p.organization("acme", ada)
	account, secret := p.service(acme)
	for name, c := range map[string]struct {
		form []string
		kind string
	}{
		"the console":             {[]string{"client_id", oauth.ClientConsole}, "unauthorized_client"},
		"nobody":                  {[]string{"client_id", "nobody"}, "invalid_client"},
		"no client":               {nil, "invalid_request"},
		"a service account":       {[]string{"client_id", string(account), "client_secret", secret.Reveal()}, "unauthorized_client"},
		"an organization by name": {[]string{"client_id", oauth.ClientCLI, "scope", "org:acme"}, "invalid_scope"},
	} {
		if a := p.post(oauth.DevicePath, c.form...); a.kind() != c.kind {
			t.Errorf("%s: got %v; want %s", name, a, c.kind)
		}
	}

	d := p.device("openid org:" + string(acme))
	if a := p.poll(oauth.ClientConsole, d.DeviceCode); a.kind() != "unauthorized_client" {
		t.Errorf("another client: %v", a)
	}
	for _, user := range []cloud.ID{bob, account, newID()} {
		if err := p.ApproveDevice(t.Context(), d.UserCode, user, start); cloud.CodeOf(err) != cloud.CodeForbidden {
			t.Errorf("%s: got %v; want %s", user, err, cloud.CodeForbidden)
		}
	}
	if err := p.ApproveDevice(t.Context(), d.UserCode, ada, start); err != nil {
		t.Fatal(err)
	}
	p.write(func(w cloud.Writer) error { return w.RemoveMember(acme, ada) })
	if a := p.poll(oauth.ClientCLI, d.DeviceCode); a.kind() != "invalid_grant" {
		t.Errorf("without the membership: %v", a)
	}

	for _, typed := range []string{"", "-", "BCDF-GHJ", "BCDF-GHJKL", "BCDF-GHJA", "BCDF-GHJ1", "ＢCDF-GHJK", strings.Repeat("-", 1000), strings.Repeat("B", 1<<20), "BCDF-GHJK"} {
		if _, err := p.DeviceByUserCode(t.Context(), typed); cloud.CodeOf(err) != cloud.CodeNotFound {
			t.Errorf("%.20q: got %v; want %s", typed, err, cloud.CodeNotFound)
		}
	}
}
