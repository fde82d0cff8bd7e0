package oauth_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/oauth2"

	"github.com/penstock-cloud/penstock/internal/auth"
	"github.com/penstock-cloud/penstock/internal/auth/issuer"
	"github.com/penstock-cloud/penstock/internal/auth/oauth"
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/store/postgres"
	"github.com/penstock-cloud/penstock/internal/store/postgres/pgtest"
	"github.com/penstock-cloud/penstock/internal/store/sqlite"
	"github.com/penstock-cloud/penstock/internal/store/sqlite/sqlitetest"
	"github.com/penstock-cloud/penstock/internal/store/storetest"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	cliRedirect = "http://127.0.0.1:41234/callback"
	address     = "192.0.2.7"
	allScopes   = "openid profile email offline_access"
)

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// plane is the real server with the real issuer over a real database, and the
// pages in the hands of a test.
type plane struct {
	*oauth.Server
	t      *testing.T
	clock  *clock
	store  *breakable
	issuer *issuer.Issuer
	verify *auth.Verifier
	url    string
	log    *buffer
}

// breakable is a store that tests can break.
type breakable struct {
	cloud.Store
	failure atomic.Pointer[error]
}

func (b *breakable) Write(ctx context.Context, fn func(cloud.Writer) error) error {
	if err := b.failure.Load(); err != nil {
		return *err
	}
	return b.Store.Write(ctx, fn)
}

type buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func newID() cloud.ID { return cloud.ID(uuid.Must(uuid.NewV7()).String()) }

// databases are those for whose rules of concurrency stories are told.
var databases = map[string]func(*testing.T) (cloud.Store, error){
	"SQLite": func(t *testing.T) (cloud.Store, error) {
		return sqlite.OpenPlane(t.Context(), sqlitetest.Plane(t, filepath.Join(t.TempDir(), "plane.db")))
	},
	"PostgreSQL": func(t *testing.T) (cloud.Store, error) {
		return postgres.OpenPlane(t.Context(), pgtest.Database(t), slog.New(slog.DiscardHandler))
	},
}

// onBoth tells a story on each of the databases.
func onBoth(t *testing.T, story func(t *testing.T, p *plane)) {
	t.Helper()
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, newPlaneOn(t, open))
		})
	}
}

func newPlane(t *testing.T) *plane {
	t.Helper()
	return newPlaneOn(t, databases["SQLite"])
}

func newPlaneOn(t *testing.T, open func(*testing.T) (cloud.Store, error)) *plane {
	t.Helper()
	db, err := open(t)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	mux := http.NewServeMux()
	web := httptest.NewServer(mux)
	t.Cleanup(web.Close)
	p := &plane{t: t, clock: &clock{now: start}, store: &breakable{Store: storetest.Twice(db)}, url: web.URL, log: &buffer{}}
	p.issuer = issuer.New(p.store, p.clock.Now, newID)
	p.write(func(w cloud.Writer) error { return w.SetIssuer(p.url) })
	if err := p.issuer.EnsureKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.verify = auth.NewVerifier(p.issuer, p.clock.Now)
	p.Server = oauth.NewServer(oauth.Config{
		Store: p.store, Issuer: p.issuer, Verifier: p.verify, Log: slog.New(slog.NewTextHandler(p.log, nil)), Now: p.clock.Now, NewID: newID,
		Origin: func(http.ResponseWriter, *http.Request) cloud.Origin {
			return cloud.Origin{RequestID: "r1", Address: address}
		},
	})
	for _, pattern := range p.Patterns() {
		mux.Handle(pattern, p.Server)
	}
	fail := func(w http.ResponseWriter, _ *http.Request, err error) {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
	mux.Handle("GET "+issuer.DiscoveryPath, oauth.Discovery(p.issuer, fail))
	mux.Handle("GET "+issuer.JWKSPath, issuer.JWKS(p.issuer, fail))
	return p
}

func (p *plane) write(fn func(cloud.Writer) error) {
	p.t.Helper()
	if err := p.store.Write(p.t.Context(), fn); err != nil {
		p.t.Fatal(err)
	}
}

// person makes an account whose address is verified.
func (p *plane) person(name string) cloud.ID {
	p.t.Helper()
	id, email := newID(), cloud.Email(strings.ToLower(name)+"@example.com")
	p.write(func(w cloud.Writer) error {
		if err := w.CreateUser(cloud.User{ID: id, Email: email, Name: name, Kind: cloud.Person, CreatedAt: p.clock.Now()}); err != nil {
			return err
		}
		return w.CreateIdentity(cloud.Identity{Issuer: cloud.MailIssuer, Subject: email.Key(), UserID: id, Email: email, CreatedAt: p.clock.Now(), LastUsedAt: p.clock.Now()})
	})
	return id
}

// organization makes one with the members.
func (p *plane) organization(name string, members ...cloud.ID) cloud.ID {
	p.t.Helper()
	id := newID()
	p.write(func(w cloud.Writer) error {
		if err := w.CreateOrganization(cloud.Organization{ID: id, Name: name, DisplayName: name, CreatedAt: p.clock.Now()}); err != nil {
			return err
		}
		for _, m := range members {
			if err := w.AddMember(cloud.Member{OrganizationID: id, User: cloud.User{ID: m}, Role: cloud.RoleEditor, JoinedAt: p.clock.Now()}); err != nil {
				return err
			}
		}
		return nil
	})
	return id
}

// service makes a service account with one secret.
func (p *plane) service(organization cloud.ID) (cloud.ID, cloud.Secret) {
	p.t.Helper()
	return p.serviceNamed(organization, "deploy")
}

func (p *plane) serviceNamed(organization cloud.ID, name string) (cloud.ID, cloud.Secret) {
	p.t.Helper()
	id := newID()
	p.write(func(w cloud.Writer) error {
		a := cloud.ServiceAccount{ID: id, OrganizationID: organization, Name: name, Role: cloud.RoleEditor, CreatedBy: newID(), CreatedAt: p.clock.Now()}
		return w.CreateServiceAccount(a, cloud.ServiceEmail(name, string(organization)))
	})
	_, secret := p.serviceSecret(id)
	return id, secret
}

func (p *plane) serviceSecret(account cloud.ID) (cloud.ID, cloud.Secret) {
	p.t.Helper()
	id, secret := newID(), cloud.NewSecret("pss_"+string(newID()))
	p.write(func(w cloud.Writer) error {
		return w.CreateServiceSecret(cloud.ServiceSecret{ID: id, ServiceAccountID: account, Hash: secret.Hash(), CreatedAt: p.clock.Now()})
	})
	return id, secret
}

func (p *plane) cli(scopes string) *oauth2.Config {
	return p.config(oauth.ClientCLI, cliRedirect, scopes)
}

func (p *plane) console(scopes string) *oauth2.Config {
	return p.config(oauth.ClientConsole, p.url+"/console/callback", scopes)
}

func (p *plane) config(client, redirect, scopes string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: client, RedirectURL: redirect, Scopes: strings.Fields(scopes),
		Endpoint: oauth2.Endpoint{
			AuthURL: p.url + oauth.AuthorizePath, TokenURL: p.url + oauth.TokenPath, DeviceAuthURL: p.url + oauth.DevicePath,
			AuthStyle: oauth2.AuthStyleInParams,
		},
	}
}

// answer is what came of a request.
type answer struct {
	status   int
	header   http.Header
	location *url.URL
	text     string
	body     map[string]any
}

// kind is the protocol's error.
func (a answer) kind() string {
	if kind, ok := a.body["error"].(string); ok {
		return kind
	}
	return a.told().Get("error")
}

// told is what a redirect tells the client.
func (a answer) told() url.Values {
	if a.location == nil {
		return nil
	}
	told, _ := url.ParseQuery(cmp.Or(a.location.RawQuery, a.location.EscapedFragment()))
	return told
}

func (a answer) String() string { return fmt.Sprintf("%d %v %s", a.status, a.location, a.text) }

func (p *plane) do(method, target string, form url.Values, headers ...string) answer {
	p.t.Helper()
	if !strings.HasPrefix(target, "http") {
		target = p.url + target
	}
	r, err := http.NewRequestWithContext(p.t.Context(), method, target, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	w, err := client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	a := answer{status: w.StatusCode, header: w.Header, text: string(text)}
	_ = json.Unmarshal(text, &a.body)
	a.location, _ = w.Location()
	return a
}

func (p *plane) post(path string, pairs ...string) answer {
	p.t.Helper()
	return p.do(http.MethodPost, path, form(pairs...))
}

func form(pairs ...string) url.Values {
	f := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		f.Add(pairs[i], pairs[i+1])
	}
	return f
}

func (p *plane) userinfoOf(token string) answer {
	p.t.Helper()
	return p.do(http.MethodGet, oauth.UserinfoPath, nil, "Authorization", "Bearer "+token)
}

// alive tells whether a token is still of use.
func (p *plane) alive(token string) bool {
	p.t.Helper()
	a := p.userinfoOf(token)
	if a.status != http.StatusOK && a.status != http.StatusUnauthorized {
		p.t.Errorf("userinfo: %v", a)
	}
	return a.status == http.StatusOK
}

// begin sends a browser to the server, which sends it on to sign in.
func (p *plane) begin(c *oauth2.Config, verifier string, options ...oauth2.AuthCodeOption) cloud.ID {
	p.t.Helper()
	options = append(options, oauth2.S256ChallengeOption(verifier))
	a := p.do(http.MethodGet, c.AuthCodeURL("state & more", options...), nil)
	if a.status != http.StatusFound || !strings.HasPrefix(a.location.String(), p.url+oauth.SignInPage+"?authorization=") {
		p.t.Fatalf("begin: %v", a)
	}
	return cloud.ID(a.location.Query().Get("authorization"))
}

// code signs the person in and returns what the client gets.
func (p *plane) code(c *oauth2.Config, user cloud.ID, verifier string, options ...oauth2.AuthCodeOption) string {
	p.t.Helper()
	callback, err := p.Agree(p.t.Context(), p.begin(c, verifier, options...), user, p.clock.Now())
	if err != nil {
		p.t.Fatal(err)
	}
	u, err := url.Parse(callback)
	if err != nil || !strings.HasPrefix(callback, c.RedirectURL+"?") || u.Query().Get("state") != "state & more" {
		p.t.Fatalf("called back at %s", callback)
	}
	return u.Query().Get("code")
}

// login gets tokens as a client does.
func (p *plane) login(c *oauth2.Config, user cloud.ID) *oauth2.Token {
	p.t.Helper()
	verifier := oauth2.GenerateVerifier()
	token, err := c.Exchange(p.t.Context(), p.code(c, user, verifier), oauth2.VerifierOption(verifier))
	if err != nil {
		p.t.Fatal(err)
	}
	return token
}

func (p *plane) refreshed(client, token string) answer {
	p.t.Helper()
	return p.post(oauth.TokenPath, "grant_type", "refresh_token", "client_id", client, "refresh_token", token)
}

func (p *plane) auditedIn(organization cloud.ID) (entries []cloud.AuditEntry) {
	p.t.Helper()
	err := p.store.Read(p.t.Context(), func(r cloud.Reader) (err error) {
		entries, err = r.Audit(organization, cloud.AuditFilter{}, cloud.Page{Limit: 100})
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return entries
}

// refusedWith checks what an oauth2 client was told.
func refusedWith(t *testing.T, err error, kind string) {
	t.Helper()
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) || refused.ErrorCode != kind {
		t.Errorf("got %v; want %s", err, kind)
	}
}
