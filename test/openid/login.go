package openid

import (
	"errors"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

var formAction = regexp.MustCompile(`<form[^>]* action="([^"]+)" method="post">`)

// Login signs in at a provider as a browser without JavaScript does, and agrees
// to all that is asked. It returns where the provider sends the browser, which
// begins with redirect.
func Login(t testing.TB, authURL, login, redirect string) *url.URL {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(req *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(req.URL.String(), redirect) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	resp, err := browser.Get(authURL) //nolint:bodyclose,noctx // step closes it; a test's
	for range 3 {
		back, action, prompt := step(t, resp, err)
		if back != nil {
			return back
		}
		resp, err = browser.PostForm(action, url.Values{"prompt": {prompt}, "login": {login}, "password": {"any"}}) //nolint:bodyclose,noctx // the same
	}
	t.Fatal("the provider asks again and again")
	return nil
}

// step reads an answer: the way back, or the form that is to be sent.
func step(t testing.TB, resp *http.Response, err error) (back *url.URL, action, prompt string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if back, err = resp.Location(); !errors.Is(err, http.ErrNoLocation) {
		if err != nil {
			t.Fatal(err)
		}
		return back, "", ""
	}
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	found := formAction.FindSubmatch(page)
	if found == nil {
		t.Fatalf("the provider answers %d: %s", resp.StatusCode, page)
	}
	prompt = "login"
	if strings.Contains(string(page), `value="consent"`) {
		prompt = "consent"
	}
	return nil, html.UnescapeString(string(found[1])), prompt
}
