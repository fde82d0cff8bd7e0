package main

import (
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
	"testing"

	"golang.org/x/oauth2"

	"github.com/penstock-cloud/penstock/internal/auth/oauth"
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/internal/control"
	"github.com/penstock-cloud/penstock/internal/mail/mailtest"
	"github.com/penstock-cloud/penstock/internal/observe"
)

// TestCommandLineSignsIn proves of the plane as it is put together that somebody
// new signs in for a program: by a code that a mail brings, and with tokens that
// the API takes.
func TestCommandLineSignsIn(t *testing.T) {
	t.Parallel()
	w := newPagesWorld(t)
	client := oauth2.Config{
		ClientID: oauth.ClientCLI, RedirectURL: "http://127.0.0.1:1/callback", Scopes: []string{"openid", "email"},
		Endpoint: oauth2.Endpoint{AuthURL: w.web.URL + oauth.AuthorizePath, TokenURL: w.web.URL + oauth.TokenPath, AuthStyle: oauth2.AuthStyleInParams},
	}
	verifier := oauth2.GenerateVerifier()
	shown := w.get(w.Client, client.AuthCodeURL("the state", oauth2.S256ChallengeOption(verifier)))
	if !strings.Contains(shown.page, "Penstock command line") {
		t.Fatalf("%s says\n%s", shown.at, shown.page)
	}
	end := w.signIn("ada@example.com", shown.at.RequestURI())
	back, err := url.Parse(strings.TrimPrefix(end.header.Get("Refresh"), "0;url="))
	if err != nil || !strings.HasPrefix(back.String(), client.RedirectURL) || back.Query().Get("state") != "the state" {
		t.Fatalf("the browser goes on to %v, %v", back, err)
	}
	token, err := client.Exchange(t.Context(), back.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	user := w.get(client.Client(t.Context(), token), w.web.URL+"/api/v1alpha1/user").page
	if !strings.Contains(user, `"ada@example.com"`) {
		t.Errorf("the API knows the caller as %s", user)
	}
}

// TestCommandLineIsLetInKnowingly proves that who is signed in already is asked
// before whatever listens on this machine gets a code, and that the console, which
// is the plane's own, gets one at once.
func TestCommandLineIsLetInKnowingly(t *testing.T) {
	t.Parallel()
	w := newPagesWorld(t)
	w.signIn("ada@example.com", "")
	ask := func(client, redirect string) seen {
		c := oauth2.Config{ClientID: client, RedirectURL: redirect, Scopes: []string{"openid"}, Endpoint: oauth2.Endpoint{AuthURL: w.web.URL + oauth.AuthorizePath}}
		return w.get(w.Client, c.AuthCodeURL("s", oauth2.S256ChallengeOption(oauth2.GenerateVerifier())))
	}
	shown := ask(oauth.ClientCLI, "http://127.0.0.1:1/callback")
	if shown.header.Get("Refresh") != "" || strings.Contains(shown.page, "code=") || !strings.Contains(shown.page, "Let it in only if you started it yourself") {
		t.Errorf("who is signed in already goes on to %q without being asked\n%s", shown.header.Get("Refresh"), shown.page)
	}
	agreed := w.post("/sign-in/agree", url.Values{"authorization": shown.at.Query()["authorization"]})
	if to := agreed.header.Get("Refresh"); !strings.HasPrefix(to, "0;url=http://127.0.0.1:1/callback?code=") {
		t.Errorf("who lets it in goes on to %q", to)
	}
	if shown := ask(oauth.ClientConsole, w.web.URL+"/console/callback"); !strings.HasPrefix(shown.header.Get("Refresh"), "0;url="+w.web.URL+"/console/callback?code=") {
		t.Errorf("the console's browser goes on to %q", shown.header.Get("Refresh"))
	}
}

// TestInvitedPersonJoins proves the same of an invitation: a mail brings the
// link, and who signs up on the way is a member.
func TestInvitedPersonJoins(t *testing.T) {
	t.Parallel()
	w := newPagesWorld(t)
	operator := w.plane.control.As(system)
	organization, err := operator.EnsureOrganization(t.Context(), "engines", "Engines")
	if err != nil {
		t.Fatal(err)
	}
	admin, err := operator.EnsureFirstAdmin(t.Context(), "charles@example.com")
	if err != nil {
		t.Fatal(err)
	}
	caller, err := w.plane.control.Admit(t.Context(), cloud.Principal{UserID: admin.ID}, cloud.ActionManageInvitations, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.plane.control.CreateInvitation(t.Context(), caller, "", control.NewInvitation{Email: "ada@example.com", Role: "editor"}); err != nil {
		t.Fatal(err)
	}
	if page := w.get(w.Client, w.server.Await(t, "ada@example.com").Link(t)).page; !strings.Contains(page, "Join Engines") {
		t.Fatalf("the link shows\n%s", page)
	}
	w.signIn("ada@example.com", "/invitation")
	if page := w.post("/invitation", nil).page; !strings.Contains(page, "Welcome to Engines") {
		t.Fatalf("accepting shows\n%s", page)
	}
	members, err := w.plane.control.Members(t.Context(), caller, cloud.Page{})
	if err != nil || len(members.Items) != 2 || members.Items[1].User.Email != "ada@example.com" || members.Items[1].Role != cloud.RoleEditor {
		t.Errorf("the members of %s are %+v, %v", organization.Name, members.Items, err)
	}
}

// pagesWorld is a plane that sends mail, and a browser.
type pagesWorld struct {
	*http.Client
	t      *testing.T
	plane  *plane
	web    *httptest.Server
	server *mailtest.Server
}

func newPagesWorld(t *testing.T) *pagesWorld {
	t.Helper()
	w := &pagesWorld{t: t, server: mailtest.Start(t, mailtest.Options{})}
	file, err := identity(t, fmt.Sprintf("mail: {smtp: \"%s:%d\", security: none, from: cloud@example.com}", w.server.Host, w.server.Port))
	if err != nil {
		t.Fatal(err)
	}
	w.web = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.plane.handler.ServeHTTP(rw, r) }))
	t.Cleanup(w.web.Close)
	w.plane, err = openPlane(t.Context(), planeConfig{
		database: database(filepath.Join(t.TempDir(), "plane.db")), url: w.web.URL, policy: cloud.DefaultHealthPolicy,
		identity: file, log: slog.New(slog.DiscardHandler), metrics: observe.NewMetrics("test"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.plane.close)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error)
	go func() { done <- w.plane.sendMail(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	w.Client = &http.Client{Jar: jar}
	return w
}

// seen is a page, and where it is.
type seen struct {
	at     *url.URL
	header http.Header
	page   string
}

// see follows an answer to where it leads, and returns the page there.
func (w *pagesWorld) see(resp *http.Response, err error) seen {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		w.t.Fatalf("%s: %d, %v\n%s", resp.Request.URL, resp.StatusCode, err, text)
	}
	return seen{resp.Request.URL, resp.Header, string(text)}
}

func (w *pagesWorld) get(client *http.Client, url string) seen {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.see(client.Do(req))
}

func (w *pagesWorld) post(path string, form url.Values) seen {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.web.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return w.see(w.Do(req))
}

// signIn signs in by a code from a mail, and returns where that ends.
func (w *pagesWorld) signIn(address, returnTo string) seen {
	w.t.Helper()
	w.post("/sign-in", url.Values{"email": {address}, "return_to": {returnTo}})
	return w.post("/sign-in/code", url.Values{"code": {w.server.Await(w.t, address).Code(w.t)}})
}
