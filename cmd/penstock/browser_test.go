package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/auth/issuer"
	"github.com/penstock-cloud/penstock/internal/cloud"
	"github.com/penstock-cloud/penstock/test/browser"
)

// TestBrowserJoins proves in a browser, of the plane as it is put together, with
// mail over SMTP, what a colleague does: from the mail that an admin's invitation
// sends, over a code from another mail, to a member whom the API lists, and out.
func TestBrowserJoins(t *testing.T) {
	t.Parallel()
	w := newPagesWorld(t)
	admin := w.firstAdmin("charles@example.com")
	w.invite(admin, "ada@example.com", "editor")
	b := browser.New(t, w.web.URL)
	b.Open(strings.TrimPrefix(w.server.Await(t, "ada@example.com").Link(t), w.web.URL))
	b.Sees("Join Engines")
	b.Says("charles", "editor", "a…@example.com")
	b.Shoot("plane-invitation")
	b.Press("Sign in to accept", "Sign in")
	b.Write("email", "Ada@Example.com")
	b.Press("Send me a code", "Enter the code")
	b.Write("code", w.server.Await(t, "ada@example.com").Code(t))
	b.Press("Sign in", "Join Engines")
	if got := w.members(admin); len(got) != 1 {
		t.Errorf("before accepting the members are %v", got)
	}
	b.Press("Accept", "Welcome to Engines")
	b.Shoot("plane-welcome")
	want := map[string]string{"charles@example.com": "admin", "Ada@Example.com": "editor"}
	if diff := cmp.Diff(want, w.members(admin)); diff != "" {
		t.Errorf("the members (-want +got):\n%s", diff)
	}
	b.Open("/sign-out")
	b.Press("Sign out", "You are signed out")
	b.Open("/account")
	b.Sees("Sign in")
	if at := browser.Read(b, chromedp.Location()); !strings.HasPrefix(at, w.web.URL+"/sign-in?") {
		t.Errorf("who signed out is at %s", at)
	}
}

// firstAdmin makes an organization with an admin, and returns a token of theirs.
func (w *pagesWorld) firstAdmin(address cloud.Email) (token string) {
	w.t.Helper()
	ctx, operator := w.t.Context(), w.plane.control.As(system)
	if _, err := operator.EnsureOrganization(ctx, "engines", "Engines"); err != nil {
		w.t.Fatal(err)
	}
	admin, err := operator.EnsureFirstAdmin(ctx, address)
	if err != nil {
		w.t.Fatal(err)
	}
	minted, _, err := w.plane.issuer.Mint(ctx, issuer.Claims{UserID: admin.ID, TTL: cloud.AccessTokenTTL})
	if err != nil {
		w.t.Fatal(err)
	}
	return minted.Reveal()
}

// call asks the API, and reads what it answers.
func (w *pagesWorld) call(token, method, path, body string, answer any) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.web.URL+"/api/v1alpha1"+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		w.t.Fatalf("%s %s: %d", method, path, resp.StatusCode)
	}
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		w.t.Fatalf("%s %s: %v", method, path, err)
	}
}

func (w *pagesWorld) invite(token, address, role string) {
	w.t.Helper()
	var made map[string]any
	w.call(token, http.MethodPost, "/invitations", `{"email":"`+address+`","role":"`+role+`"}`, &made)
}

// members are the roles that GET /members lists, by address.
func (w *pagesWorld) members(token string) map[string]string {
	w.t.Helper()
	var list []struct{ Email, Role string }
	w.call(token, http.MethodGet, "/members", "", &list)
	roles := map[string]string{}
	for _, m := range list {
		roles[m.Email] = m.Role
	}
	return roles
}
