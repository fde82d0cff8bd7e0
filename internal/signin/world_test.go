package signin_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/penstock-cloud/penstock/internal/auth/provider"
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/rest"
	"github.com/penstock-cloud/penstock/internal/signin"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
	"github.com/penstock-cloud/penstock/internal/store/sqlite/sqlitetest"
	"github.com/penstock-cloud/penstock/test/openid"
)

// world is a plane as far as its pages need one.
type world struct {
	*httptest.Server
	t           *testing.T
	store       cloud.Store
	entrance    control.Entrance
	oauth       *fakeOAuth
	invitations *fakeInvitations
	operations  map[string]string
	limits      struct{ *rest.Limits } // none, until a test sets some
	wakes       atomic.Int64
	log         lockedBuffer

	stopCompany func() // with whose provider people sign in
}

// lockedBuffer is a log that several write.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// newWorld starts the pages. With company, there is a provider that speaks for
// company.example.
func newWorld(t *testing.T, company bool) *world {
	t.Helper()
	store, err := sqlite.OpenPlane(t.Context(), sqlitetest.Plane(t, filepath.Join(t.TempDir(), "plane.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	w := &world{t: t, store: store, oauth: &fakeOAuth{}, invitations: &fakeInvitations{}}
	var pages http.Handler
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { pages.ServeHTTP(rw, r) }))
	t.Cleanup(w.Close)
	w.oauth.callback = w.URL + "/console/callback?code=good"

	var providers []*provider.Provider
	rules := control.EntranceConfig{Codes: true}
	if company {
		redirect := w.URL + "/sign-in/callback/company"
		var issuer string
		issuer, w.stopCompany = openid.Start(t, openid.Config{
			Accounts: map[string]openid.Account{
				"ada": {Email: "ada@company.example", EmailVerified: true, Name: "Ada Lovelace"},
				"bob": {Email: "bob@company.example", Name: "Bob"},
			},
			ClientID: "penstock", Secret: "a secret", Redirect: redirect,
		})
		p, err := provider.New(provider.Config{
			Name: "company", Title: "Company", Issuer: issuer, ClientID: "penstock", ClientSecret: cloud.NewSecret("a secret"), RedirectURL: redirect,
		}, http.DefaultTransport, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		providers = append(providers, p)
		rules.Providers = []control.ProviderRule{{Name: "company", Issuer: issuer, Domains: []string{"company.example"}}}
	}
	var n atomic.Int64
	newID := func() cloud.ID { return cloud.ID(fmt.Sprintf("019cae00-0000-7000-9000-%012x", n.Add(1))) }
	w.entrance = control.New(store, time.Now, newID, cloud.DefaultHealthPolicy).Entrance(rules)
	s, err := signin.NewServer(signin.Config{
		Entrance: w.entrance, Providers: providers, Codes: true, Authorizations: w.oauth, Invitations: w.invitations, PublicURL: w.URL, Limits: &w.limits,
		Wake: func() { w.wakes.Add(1) }, ClientAddress: func(*http.Request) string { return "192.0.2.7" },
		Log: slog.New(slog.NewTextHandler(&w.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	pages, w.operations = s, s.Operations()
	return w
}

// code reads the mail that waits, as the postman does, and returns the code.
func (w *world) code(to string) string {
	w.t.Helper()
	var code string
	if err := w.store.Write(w.t.Context(), func(tx cloud.Writer) error {
		mail, err := tx.LeaseMail(time.Now(), time.Now().Add(time.Minute))
		if err != nil {
			return fmt.Errorf("no mail waits: %w", err)
		}
		if string(mail.Recipient) != to || mail.Kind != cloud.MailCode {
			w.t.Errorf("a %s goes to %q; want a code for %q", mail.Kind, mail.Recipient, to)
		}
		plane, err := tx.Plane()
		code = cloud.SignInCode(plane.MailKey, cloud.SecretHash(mail.Reference)).Reveal()
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
	return code
}

// fakeOAuth knows one authorization and one device.
type fakeOAuth struct {
	callback string

	mu       sync.Mutex
	after    time.Time
	ask      time.Time
	agreed   []cloud.ID
	refused  int
	approved []cloud.ID
	denied   []cloud.ID
}

const (
	theAuthorization cloud.ID = "019cae00-0000-7000-a000-000000000001"
	theDevice        string   = "BCDF-GHJK"
)

func (o *fakeOAuth) Describe(_ context.Context, id cloud.ID) (signin.Request, error) {
	if id != theAuthorization {
		return signin.Request{}, cloud.NotFound("this request to sign in does not exist or has expired")
	}
	return signin.Request{Client: "Penstock command line", SignInAfter: o.after, AskBefore: o.ask}, nil
}

func (o *fakeOAuth) Agree(_ context.Context, _, user cloud.ID, _ time.Time) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.agreed = append(o.agreed, user)
	return o.callback, nil
}

func (o *fakeOAuth) Refuse(context.Context, cloud.ID) (string, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.refused++
	return o.callback, nil
}

func (o *fakeOAuth) AfterSignOut(_ context.Context, client, redirect, _ string) (string, error) {
	if client != "penstock-console" || !strings.HasSuffix(redirect, "/console/") {
		return "", cloud.Invalid("not a place of the client's")
	}
	return redirect, nil
}

func (o *fakeOAuth) DeviceByUserCode(_ context.Context, code string) (signin.Device, error) {
	if !strings.EqualFold(strings.ReplaceAll(code, "-", ""), strings.ReplaceAll(theDevice, "-", "")) {
		return signin.Device{}, cloud.NotFound("no device waits with this code")
	}
	return signin.Device{Client: "Penstock command line", Code: theDevice, Scopes: []string{"openid", "offline_access"}}, nil
}

func (o *fakeOAuth) ApproveDevice(_ context.Context, _ string, user cloud.ID, _ time.Time) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.approved = append(o.approved, user)
	return nil
}

func (o *fakeOAuth) DenyDevice(_ context.Context, _ string, user cloud.ID) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.denied = append(o.denied, user)
	return nil
}

// fakeInvitations knows one, to grace@example.com.
type fakeInvitations struct {
	mu       sync.Mutex
	accepted []cloud.ID
}

const theToken = "the-token-of-the-link"

func (i *fakeInvitations) Invitation(_ context.Context, token cloud.Secret) (signin.Invitation, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if token.Reveal() != theToken || len(i.accepted) > 0 {
		return signin.Invitation{}, cloud.ErrNoInvitation
	}
	return signin.Invitation{
		Organization: "Difference Engines <Ltd>", InvitedBy: "Charles Babbage", Role: cloud.RoleEditor, Email: "grace@example.com",
		ExpiresAt: time.Date(2026, 3, 9, 15, 30, 0, 0, time.UTC),
	}, nil
}

func (i *fakeInvitations) Accept(_ context.Context, user cloud.User, token cloud.Secret, _ cloud.Origin) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if token.Reveal() != theToken {
		return cloud.ErrNoInvitation
	}
	if user.Email.Key() != "grace@example.com" {
		return cloud.Forbidden("this invitation is for g…@example.com, which is no address that you have signed in with")
	}
	i.accepted = append(i.accepted, user.ID)
	return nil
}

// client is a browser that follows no redirects and remembers cookies.
type client struct {
	*http.Client
	w *world
}

func (w *world) client() client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return client{&http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, w}
}

// answer is what a page said.
type answer struct {
	status   int
	header   http.Header
	location string
	body     string
}

func (c client) do(method, path string, form url.Values, headers ...string) answer {
	c.w.t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = c.w.URL + path
	}
	req, err := http.NewRequestWithContext(c.w.t.Context(), method, path, strings.NewReader(form.Encode()))
	if err != nil {
		c.w.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := c.Do(req)
	if err != nil {
		c.w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.w.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, resp.Header.Get("Location"), string(body)}
}

func (c client) get(path string) answer { c.w.t.Helper(); return c.do(http.MethodGet, path, nil) }

func (c client) post(path string, form url.Values) answer {
	c.w.t.Helper()
	return c.do(http.MethodPost, path, form, "Sec-Fetch-Site", "same-origin")
}

// signIn signs in by a code, and returns where the browser goes on.
func (c client) signIn(email, returnTo string) string {
	c.w.t.Helper()
	if got := c.post("/sign-in", url.Values{"email": {email}, "return_to": {returnTo}}); got.location != "/sign-in/code" {
		c.w.t.Fatalf("a code is asked for: %d %s\n%s", got.status, got.location, got.body)
	}
	got := c.post("/sign-in/code", url.Values{"code": {c.w.code(email)}})
	if got.status != http.StatusSeeOther {
		c.w.t.Fatalf("the code is given: %d\n%s", got.status, got.body)
	}
	return got.location
}
