package signin_test

import (
	"context"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/rest"
	"github.com/penstock-cloud/penstock/internal/signin"
	"github.com/penstock-cloud/penstock/test/openid"
)

// TestPagesAreGuarded looks at every page, signed in and not, good and bad:
// none has a script, and all have the policy that permits none.
func TestPagesAreGuarded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	stranger, ada := w.client(), w.client()
	ada.signIn("ada@example.com", "")
	active := regexp.MustCompile(`(?i)<script|<style|\sstyle=|\son[a-z]+=|javascript:|<iframe`)
	for pattern := range w.operations {
		method, path, _ := strings.Cut(pattern, " ")
		path = strings.NewReplacer("{provider}", "company", "{token}", theToken).Replace(path)
		for _, c := range []client{stranger, ada} {
			for _, query := range []string{"", "?return_to=//evil.example&user_code=" + theDevice + "&authorization=" + string(theAuthorization)} {
				if pattern == "POST /sign-out" || pattern == "POST /account/sign-out-everywhere" {
					continue // or ada is gone
				}
				got := c.do(method, path+query, nil, "Sec-Fetch-Site", "same-origin")
				want := http.Header{
					"Content-Security-Policy": {"default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"},
					"Referrer-Policy":         {"same-origin"}, "X-Content-Type-Options": {"nosniff"}, "X-Frame-Options": {"DENY"},
				}
				for name := range want {
					if diff := cmp.Diff(want[name], got.header[name]); diff != "" {
						t.Errorf("%s%s %s (-want +got):\n%s", pattern, query, name, diff)
					}
				}
				if kept := got.header.Get("Cache-Control"); kept != "no-store" && !strings.HasSuffix(path, ".css") {
					t.Errorf("%s%s may be kept: %q", pattern, query, kept)
				}
				if found := active.FindString(got.body); found != "" && !strings.HasSuffix(path, ".css") {
					t.Errorf("%s%s has %q", pattern, query, found)
				}
				if got.status >= http.StatusInternalServerError {
					t.Errorf("%s%s fails: %d\n%s", pattern, query, got.status, got.body)
				}
			}
		}
	}
}

// TestOtherSitesCannotPost sends every form from another site, as a browser
// does, with all the cookies that there are.
func TestOtherSitesCannotPost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	ada := w.client()
	ada.signIn("ada@example.com", "")
	for pattern := range w.operations {
		path, isPost := strings.CutPrefix(pattern, "POST ")
		if !isPost {
			continue
		}
		path = strings.ReplaceAll(path, "{provider}", "company")
		form := url.Values{"email": {"eve@example.com"}, "user_code": {theDevice}, "answer": {"approve"}, "authorization": {string(theAuthorization)}}
		for _, from := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}} {
			got := ada.do(http.MethodPost, path, form, from[0], from[1])
			if got.status != http.StatusForbidden || !strings.Contains(got.body, "another site") {
				t.Errorf("%s from %s: %d; want it refused\n%s", pattern, from, got.status, got.body)
			}
		}
	}
	if got := ada.get("/account"); got.status != http.StatusOK || w.wakes.Load() != 1 || len(w.oauth.approved)+w.oauth.refused > 0 {
		t.Errorf("something was done: %d, %d mails, %v", got.status, w.wakes.Load(), w.oauth)
	}
}

// TestReturnsToOurPathsOnly tries to have a browser that signs in go elsewhere.
func TestReturnsToOurPathsOnly(t *testing.T) {
	t.Parallel()
	for to, want := range map[string]string{
		"":                              "/account",
		"/device?user_code=BCDF-GHJK":   "/device?user_code=BCDF-GHJK",
		"/invitation":                   "/invitation",
		"https://evil.example":          "/account",
		"//evil.example":                "/account",
		"///evil.example":               "/account",
		"/\\evil.example":               "/account",
		"\\\\evil.example":              "/account",
		"/%5cevil.example":              "/account",
		"/%2f/evil.example":             "/account",
		"/.//evil.example":              "/account",
		"/a/..//evil.example":           "/account",
		"/\t/evil.example":              "/account",
		"/%09/evil.example":             "/account",
		"javascript:alert(1)":           "/account",
		"evil.example":                  "/account",
		"http:evil.example":             "/account",
		"/ok\r\nSet-Cookie: a=b":        "/account",
		"/" + strings.Repeat("a", 2000): "/account",
		"/account#//evil.example":       "/account",
	} {
		if got := signin.ReturnPath(to); got != want {
			t.Errorf("%q leads to %q; want %q", to, got, want)
		}
	}
	w := newWorld(t, false)
	if got := w.client().signIn("ada@example.com", "https://evil.example/"); got != "/account" {
		t.Errorf("after signing in the browser goes to %q", got)
	}
	ada := w.client()
	ada.signIn("bob@example.com", "")
	if got := ada.get("/sign-in?return_to=//evil.example"); got.location != "/account" {
		t.Errorf("who is signed in goes to %q", got.location)
	}
}

// TestCookiesAreOurs looks at what browsers are given, with https and without.
func TestCookiesAreOurs(t *testing.T) {
	t.Parallel()
	for public, prefix := range map[string]string{"https://cloud.example.com": "__Host-", "http://127.0.0.1": ""} {
		w := newWorld(t, false)
		s, err := signin.NewServer(signin.Config{
			Entrance: w.entrance, Codes: true, Invitations: w.invitations, PublicURL: public, Limits: &w.limits,
			ClientAddress: func(*http.Request) string { return "" }, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		send := func(method, path, form string, with ...*http.Cookie) []*http.Cookie {
			t.Helper()
			r := httptest.NewRequestWithContext(context.Background(), method, path, strings.NewReader(form))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for _, c := range with {
				r.AddCookie(c)
			}
			rec := httptest.NewRecorder()
			s.ServeHTTP(rec, r)
			return rec.Result().Cookies()
		}
		begun := send(http.MethodPost, "/sign-in", "email=ada@example.com")
		all := slices.Concat(begun,
			send(http.MethodPost, "/sign-in/code", "code="+w.code("ada@example.com"), begun...),
			send(http.MethodGet, "/invitations/"+theToken, ""))
		var names []string
		for _, c := range all {
			names = append(names, c.Name)
			if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.Secure != (prefix != "") {
				t.Errorf("%s: %v", public, c)
			}
		}
		want := []string{prefix + "penstock-signin", prefix + "penstock-signin", prefix + "penstock-session", prefix + "penstock-invitation"}
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("%s (-want +got):\n%s", public, diff)
		}
	}
}

// TestWhatAPageSaysOfAnAddress asks for codes for addresses that have an
// account, have none, and are bound: all see the same but for the address.
func TestWhatAPageSaysOfAnAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	w.client().signIn("known@example.com", "")
	var want string
	for _, address := range []string{"known@example.com", "other@example.com", "ada@company.example"} {
		c := w.client()
		asked := c.post("/sign-in", url.Values{"email": {address}})
		shown := c.get("/sign-in/code")
		wrong := c.post("/sign-in/code", url.Values{"code": {"00000000"}})
		got := strings.ReplaceAll(strings.Join([]string{http.StatusText(asked.status), asked.location, asked.body, shown.body, wrong.body}, "\n"), address, "ADDRESS")
		if want == "" {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", address, diff)
		}
	}
	if !strings.Contains(want, "ADDRESS") || !strings.Contains(want, "not right") {
		t.Errorf("the pages say nothing: %s", want)
	}
}

// TestGuessesAreFew proves that an address runs out of guesses, and of mails that
// it has sent, and not of pages to look at.
func TestGuessesAreFew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	w.limits.Limits = rest.NewLimits(rest.MaxRate, func() time.Time { return time.Unix(1_800_000_000, 0) })
	c := w.client()
	c.post("/sign-in", url.Values{"email": {"ada@example.com"}})
	var got answer
	for range 60 {
		got = c.post("/sign-in/code", url.Values{"code": {"00000000"}})
	}
	if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" || !strings.Contains(got.body, "too many requests") {
		t.Errorf("a guess too many: %d, Retry-After %q\n%s", got.status, got.header.Get("Retry-After"), got.body)
	}
	before := w.wakes.Load()
	if got := w.client().post("/sign-in", url.Values{"email": {"bob@example.com"}}); got.status != http.StatusTooManyRequests || w.wakes.Load() != before {
		t.Errorf("a code from the same address: %d", got.status)
	}
	if got := c.get("/sign-in"); got.status != http.StatusOK || !strings.Contains(got.header.Get("RateLimit"), "address") {
		t.Errorf("a page: %d, RateLimit %q", got.status, got.header.Get("RateLimit"))
	}
}

// TestGuessesOfADevicesCodeAreFew looks devices up by codes: also by links, which
// answer nothing and yet tell whether a device waits.
func TestGuessesOfADevicesCodeAreFew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	w.limits.Limits = rest.NewLimits(rest.MaxRate, func() time.Time { return time.Unix(1_800_000_000, 0) })
	c := w.client()
	c.signIn("eve@example.com", "") // which takes two tries
	for range 58 {
		if got := c.get("/device?user_code=bbbbbbbb"); got.status != http.StatusNotFound {
			t.Fatalf("a guess: %d\n%s", got.status, got.body)
		}
	}
	if got := c.get("/device?user_code=bcdfghjk"); got.status != http.StatusTooManyRequests || strings.Contains(got.body, theDevice) {
		t.Errorf("a guess too many: %d\n%s", got.status, got.body)
	}
	if got := c.get("/device"); got.status != http.StatusOK {
		t.Errorf("the form for a code: %d", got.status)
	}
}

// TestStolenState brings the answer that a provider gave in one browser into
// another, and a second time into the first.
func TestStolenState(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	ada, eve := w.client(), w.client()
	next := regexp.MustCompile(`href="(http[^"]+)"`)
	login := func(c client, who string) string {
		t.Helper()
		begun := c.post("/sign-in/with/company", nil)
		to := next.FindStringSubmatch(begun.body)
		if begun.status != http.StatusOK || to == nil || !strings.HasPrefix(begun.header.Get("Refresh"), "0;url=http") {
			t.Fatalf("%d %v\n%s", begun.status, begun.header, begun.body)
		}
		return openid.Login(t, html.UnescapeString(to[1]), who, w.URL+"/sign-in/callback/").String()
	}
	answer := login(eve, "ada")
	login(ada, "ada")
	for who, c := range map[string]client{"a browser with a sign-in of its own": ada, "a browser without": w.client()} {
		if got := c.get(answer); got.status != http.StatusForbidden || len(got.header["Set-Cookie"]) > 0 {
			t.Errorf("%s takes the answer of another: %d %v", who, got.status, got.header["Set-Cookie"])
		}
	}
	if got := eve.get(answer); got.location != "/account" {
		t.Fatalf("where it belongs: %d\n%s", got.status, got.body)
	}
	if got := eve.get(answer); got.status != http.StatusForbidden {
		t.Errorf("a second time: %d", got.status)
	}
	// Bob's provider does not vouch for his address.
	bob := w.client()
	if got := bob.get(login(bob, "bob")); got.status != http.StatusForbidden || !strings.Contains(got.body, "verify it there") {
		t.Errorf("an address that is not verified: %d\n%s", got.status, got.body)
	}
	// Who turns back at the provider is told so.
	turned := w.client()
	begun, err := url.Parse(strings.TrimPrefix(turned.post("/sign-in/with/company", nil).header.Get("Refresh"), "0;url="))
	if err != nil {
		t.Fatal(err)
	}
	if got := turned.get("/sign-in/callback/company?error=access_denied&error_description=%3Cb%3E&state=" + begun.Query().Get("state")); got.status != http.StatusForbidden || strings.Contains(got.body, "<b>") {
		t.Errorf("who turned back: %d\n%s", got.status, got.body)
	}
}

func TestProviderThatIsAwaySaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	w.stopCompany()
	got := w.client().post("/sign-in/with/company", nil)
	if got.status != http.StatusServiceUnavailable || !strings.Contains(got.body, "Company does not answer") {
		t.Errorf("%d\n%s", got.status, got.body)
	}
	if got := w.client().post("/sign-in/with/nobody", nil); got.status != http.StatusNotFound {
		t.Errorf("a provider that there is not: %d", got.status)
	}
	w.client().signIn("ada@example.com", "") // nobody else is kept out
}

// TestProgramsGetTheirAnswer takes a program's request through the pages.
func TestProgramsGetTheirAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	page := "/sign-in?authorization=" + string(theAuthorization)
	ada := w.client()
	if got := ada.get(page); got.status != http.StatusOK || !strings.Contains(got.body, "Penstock command line") {
		t.Fatalf("%d\n%s", got.status, got.body)
	}
	if got := ada.signIn("ada@example.com", page); got != page {
		t.Fatalf("after signing in the browser goes to %q", got)
	}
	if got := ada.get(page); got.header.Get("Refresh") != "0;url="+w.oauth.callback || len(w.oauth.agreed) != 1 {
		t.Errorf("%d, %v, %v", got.status, got.header, w.oauth.agreed)
	}
	w.oauth.after = time.Now().Add(time.Second)
	if got := ada.get(page); !strings.Contains(got.body, "Send me a code") || len(w.oauth.agreed) != 1 {
		t.Errorf("who signed in too early need not do so again:\n%s", got.body)
	}
	if got := w.client().post("/sign-in/refuse", url.Values{"authorization": {string(theAuthorization)}}); got.header.Get("Refresh") != "0;url="+w.oauth.callback || w.oauth.refused != 1 {
		t.Errorf("who refuses: %d %v", got.status, got.header)
	}
	for _, id := range []string{"nonsense", "019cae00-0000-7000-a000-00000000ffff"} {
		if got := ada.get("/sign-in?authorization=" + id); got.status != http.StatusBadRequest && got.status != http.StatusNotFound {
			t.Errorf("authorization %s: %d", id, got.status)
		}
	}
	// Where a program wants the browser afterwards is its own, or nowhere.
	form := url.Values{"client_id": {"penstock-console"}, "post_logout_redirect_uri": {"https://evil.example/"}}
	if got := ada.post("/sign-out", form); got.status != http.StatusBadRequest || got.header.Get("Refresh") != "" {
		t.Errorf("signed out to %q", got.header.Get("Refresh"))
	}
	form.Set("post_logout_redirect_uri", w.URL+"/console/")
	if got := ada.post("/sign-out", form); got.header.Get("Refresh") != "0;url="+w.URL+"/console/" {
		t.Errorf("signed out: %d %v", got.status, got.header)
	}
}

// TestProgramsAreLetInKnowingly follows a link to a program's request, while
// somebody is signed in who did not sign in for it: nothing happens by the link
// alone, nor by another site's form.
func TestProgramsAreLetInKnowingly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	page, form := "/sign-in?authorization="+string(theAuthorization), url.Values{"authorization": {string(theAuthorization)}}
	ada := w.client()
	ada.signIn("ada@example.com", "")
	w.oauth.ask = time.Now().Add(time.Second)
	got := ada.get(page)
	if got.status != http.StatusOK || got.header.Get("Refresh") != "" || !strings.Contains(got.body, "Penstock command line") || !strings.Contains(got.body, "ada@example.com") {
		t.Errorf("%d, Refresh %q\n%s", got.status, got.header.Get("Refresh"), got.body)
	}
	if got := ada.do(http.MethodPost, "/sign-in/agree", form, "Sec-Fetch-Site", "cross-site"); got.status != http.StatusForbidden {
		t.Errorf("another site agrees: %d", got.status)
	}
	if got := w.client().post("/sign-in/agree", form); got.location != "/sign-in?return_to="+url.QueryEscape(page) {
		t.Errorf("nobody agrees: %d %q", got.status, got.location)
	}
	if len(w.oauth.agreed) > 0 {
		t.Fatalf("%v agreed", w.oauth.agreed)
	}
	if got := ada.post("/sign-in/agree", form); got.header.Get("Refresh") != "0;url="+w.oauth.callback || len(w.oauth.agreed) != 1 {
		t.Errorf("who agrees: %d, %v", got.status, got.header)
	}
	w.oauth.after = w.oauth.ask
	if got := ada.post("/sign-in/agree", form); !strings.Contains(got.body, "Send me a code") || len(w.oauth.agreed) != 1 {
		t.Errorf("who signed in too early agrees: %d\n%s", got.status, got.body)
	}
}

// TestInvitationTokenStaysOutOfAddresses follows the link of a mail: its token
// is in no address after the first, in no row, and in no log.
func TestInvitationTokenStaysOutOfAddresses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	grace := w.client()
	if got := grace.get("/invitations/" + theToken); got.location != "/invitation" {
		t.Fatalf("the link leads to %q", got.location)
	}
	shown := grace.get("/invitation")
	for _, want := range []string{"Difference Engines &lt;Ltd&gt;", "Charles Babbage", "editor", "g…@example.com", "return_to=%2Finvitation"} {
		if !strings.Contains(shown.body, want) {
			t.Errorf("the page lacks %q:\n%s", want, shown.body)
		}
	}
	if strings.Contains(shown.body, theToken) || strings.Contains(shown.body, "grace@") {
		t.Error("the page tells the token, or the whole address")
	}
	// Somebody else is told for whom it is, and that it waits.
	eve := w.client()
	eve.get("/invitations/" + theToken)
	eve.signIn("eve@example.com", "/invitation")
	if got := eve.post("/invitation", nil); got.status != http.StatusForbidden || !strings.Contains(got.body, "g…@example.com") || strings.Contains(got.body, "grace@") {
		t.Errorf("somebody else accepts: %d\n%s", got.status, got.body)
	}
	if got := w.client().post("/invitation", nil); got.location != "/sign-in?return_to=%2Finvitation" {
		t.Errorf("nobody accepts: %d %q", got.status, got.location)
	}
	if got := grace.signIn("grace@example.com", "/invitation"); got != "/invitation" {
		t.Errorf("after signing in the browser goes to %q", got)
	}
	if got := grace.post("/invitation", nil); got.status != http.StatusOK || len(w.invitations.accepted) != 1 {
		t.Errorf("%d, %v\n%s", got.status, w.invitations.accepted, got.body)
	}
	for what, got := range map[string]answer{"again": grace.get("/invitations/" + theToken), "forged": grace.get("/invitations/forged"), "none": grace.get("/invitation")} {
		if got.status != http.StatusNotFound {
			t.Errorf("%s: %d\n%s", what, got.status, got.body)
		}
	}
	if strings.Contains(w.log.String(), theToken) {
		t.Error("the token is in the log")
	}
}

// TestDevicesAskOnce lets a device in, keeps one out, and types codes that are
// none.
func TestDevicesAskOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	ada := w.client()
	if got := ada.get("/device?user_code=bcdfghjk"); got.location != "/sign-in?return_to=%2Fdevice%3Fuser_code%3Dbcdfghjk" {
		t.Errorf("nobody is asked: %d %q", got.status, got.location)
	}
	ada.signIn("ada@example.com", "")
	if got := ada.get("/device?user_code=bcdfghjk"); got.status != http.StatusOK || !strings.Contains(got.body, theDevice) || len(w.oauth.approved) > 0 {
		t.Errorf("%d\n%s", got.status, got.body)
	}
	if got := ada.get("/device?user_code=nonsense"); got.status != http.StatusNotFound || !strings.Contains(got.body, "o device waits") {
		t.Errorf("nonsense: %d\n%s", got.status, got.body)
	}
	for answer, want := range map[string]int{"approve": 200, "deny": 200, "": 400, "perhaps": 400} {
		if got := ada.post("/device", url.Values{"user_code": {theDevice}, "answer": {answer}}); got.status != want {
			t.Errorf("%q: %d; want %d", answer, got.status, want)
		}
	}
	if len(w.oauth.approved) != 1 || len(w.oauth.denied) != 1 {
		t.Errorf("approved by %v, denied by %v", w.oauth.approved, w.oauth.denied)
	}
}

// TestFailuresSayNothing breaks the store while somebody is signed in: the page
// tells no more than that, and the log the rest.
func TestFailuresSayNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	ada := w.client()
	ada.signIn("ada@example.com", "")
	w.store.Close()
	got := ada.get("/account")
	if got.status < http.StatusInternalServerError || strings.Contains(got.body, "sql") || strings.Contains(got.body, "closed") {
		t.Errorf("%d\n%s", got.status, got.body)
	}
	if !strings.Contains(w.log.String(), "closed") {
		t.Errorf("the log does not say why: %s", w.log.String())
	}
}
