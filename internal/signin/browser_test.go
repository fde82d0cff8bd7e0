package signin_test

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/penstock-cloud/penstock/test/browser"
)

// TestBrowserSignsInByCode signs in by a code, with a wrong one first, and
// out.
func TestBrowserSignsInByCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	b := browser.New(t, w.URL)
	b.Open("/account")
	b.Sees("Sign in")
	b.Shoot("sign-in-codes")
	b.Write("email", "grace@example.com")
	b.Press("Send me a code", "Enter the code")
	b.Shoot("code")
	code := w.code("grace@example.com")
	b.Write("code", "00000000")
	b.Press("Sign in", "Enter the code")
	b.Says("not right")
	b.Shoot("code-wrong")
	b.Write("code", code[:4]+" "+code[4:])
	b.Press("Sign in", "Your account")
	b.Says("grace@example.com", "Code by mail", "this session")
	b.Open("/sign-out")
	b.Shoot("sign-out")
	b.Press("Sign out", "You are signed out")
	b.Shoot("signed-out")
	b.Open("/account")
	b.Sees("Sign in")
}

// TestBrowserSignsInByProvider signs in at the company's provider, adds a code
// to another address, takes that away again, and signs out everywhere.
func TestBrowserSignsInByProvider(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	b := browser.New(t, w.URL)
	b.Open("/sign-in")
	b.Shoot("sign-in")
	b.Do(chromedp.Click(browser.Labelled("Continue with Company")), chromedp.WaitVisible(chromedp.CSS(`input[name="login"]`)))
	b.Write("login", "ada")
	b.Write("password", "any")
	b.Do(
		chromedp.Click(chromedp.CSS(`input[value="login"] ~ button`)),
		chromedp.Click(chromedp.CSS(`input[value="consent"] ~ button`)),
	)
	b.Sees("Your account")
	b.Says("Ada Lovelace", "ada@company.example", "Company")

	b.Write("email", "ada@private.example")
	b.Press("Send", "Enter the code")
	b.Write("code", w.code("ada@private.example"))
	b.Press("Sign in", "Your account")
	b.Says("Code by mail", "ada@private.example")
	b.Shoot("account")
	b.Do(
		chromedp.Click(chromedp.Search(`//li[contains(., "Code by mail")]//button`)),
		chromedp.WaitNotPresent(chromedp.Search(`//li[contains(., "Code by mail")]`)),
	)
	b.Says("ada@company.example")
	b.Press("Sign out everywhere", "You are signed out")
}

// TestBrowserAcceptsInvitation opens the link of a mail, signs up on the way,
// and accepts.
func TestBrowserAcceptsInvitation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	b := browser.New(t, w.URL)
	b.Open("/invitations/" + theToken)
	b.Sees("Join Difference Engines <Ltd>")
	b.Says("Charles Babbage", "editor", "g…@example.com")
	b.Shoot("invitation")
	b.Press("Sign in to accept", "Sign in")
	b.Write("email", "Grace@example.com")
	b.Press("Send me a code", "Enter the code")
	b.Write("code", w.code("Grace@example.com"))
	b.Press("Sign in", "Join Difference Engines <Ltd>")
	b.Shoot("invitation-signed-in")
	b.Press("Accept", "Welcome to Difference Engines <Ltd>")
	b.Says("editor")
	b.Shoot("welcome")
	if len(w.invitations.accepted) != 1 {
		t.Errorf("accepted by %v", w.invitations.accepted)
	}
	b.Open("/invitations/" + theToken)
	b.Says("does not exist, has expired")
	b.Shoot("invitation-gone")
}

// TestBrowserGoesOnToPrograms lets a device in, and takes a program's request
// from a form to the program's own address: no policy stands in the way.
func TestBrowserGoesOnToPrograms(t *testing.T) {
	t.Parallel()
	w, program := newWorld(t, false), newWorld(t, false) // another origin
	w.oauth.callback = program.URL + "/sign-out"
	b := browser.New(t, w.URL)
	b.Open("/device?user_code=bcdfghjk")
	b.Write("email", "ada@example.com")
	b.Press("Send me a code", "Enter the code")
	b.Write("code", w.code("ada@example.com"))
	b.Press("Sign in", "Let a device in")
	b.Says("Penstock command line", theDevice)
	b.Shoot("device")
	b.Press("Let it in", "The device is in")
	b.Shoot("device-in")
	b.Open("/device")
	b.Shoot("device-code")
	b.Write("user_code", "nonsense")
	b.Press("Go on", "Let a device in")
	b.Says("No device waits")

	b.Open("/sign-out")
	b.Press("Sign out", "You are signed out")
	b.Open("/sign-in?authorization=" + string(theAuthorization))
	b.Says("Penstock command line")
	b.Shoot("sign-in-program")
	b.Write("email", "ada@example.com")
	b.Press("Send me a code", "Enter the code")
	b.Write("code", w.code("ada@example.com"))
	b.Press("Sign in", "You are signed out") // at the program, which knows nobody
	if at := browser.Read(b, chromedp.Location()); at != w.oauth.callback {
		t.Errorf("the browser is at %q; want %q", at, w.oauth.callback)
	}
}
