package signin_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// browser is a headless Chromium with a profile of its own, which reaches
// nothing but this machine.
type browser struct {
	context.Context
	t *testing.T
	w *world
}

// screenshots is the folder that keeps what the pages look like, if it is set.
const screenshots = "PENSTOCK_TEST_SCREENSHOTS"

// newBrowser starts one. Where there is no Chromium the test is skipped; in CI
// it fails.
func newBrowser(t *testing.T, w *world) browser {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		const missing = "needs Chromium: install Debian's chromium package, or as root run make test, which does"
		if os.Getenv("CI") == "true" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1200, 900),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
		chromedp.Flag("disable-component-update", true),
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium has none for root
	}
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(allocator)
	t.Cleanup(end)
	b := browser{ctx, t, w}
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil { // it lives as long as ctx, and not as the first step
		t.Fatal(err)
	}
	return b
}

// stepTime is more than any step takes: what it ends does not work.
const stepTime = 20 * time.Second

// do takes steps, and shows where they got stuck.
func (b browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	read(b, chromedp.Steps(steps...))
}

// read is do for a step that finds something out.
func read[T any](b browser, step chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.Context, stepTime)
	defer cancel()
	found, err := chromedp.Run(ctx, step)
	if err != nil {
		at, _ := chromedp.Run(b.Context, chromedp.Location())
		page, _ := chromedp.Run(b.Context, chromedp.OuterHTML(chromedp.CSS("html")))
		b.t.Fatalf("%v at %s\n%s", err, at, page)
	}
	return found
}

func (b browser) open(path string) { b.t.Helper(); b.do(chromedp.Navigate(b.w.URL + path)) }

// labelled is a button, or what looks like one.
func labelled(label string) chromedp.Search {
	return chromedp.Search(`//button[normalize-space()="` + label + `"] | //a[normalize-space()="` + label + `"]`)
}

// press presses a button, and waits for the heading of the page after it, which
// may be that of the page before.
func (b browser) press(label, heading string) {
	b.t.Helper()
	b.do(
		chromedp.Evaluate[chromedp.Void](`document.documentElement.setAttribute("data-left", "")`),
		chromedp.Click(labelled(label)),
	)
	b.sees(heading)
}

func (b browser) sees(heading string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(chromedp.Search(`//html[not(@data-left)]//h1[normalize-space()="` + heading + `"]`)))
}

func (b browser) write(field, text string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS(`input[name="`+field+`"]`), text))
}

func (b browser) says(want ...string) {
	b.t.Helper()
	text := read(b, chromedp.Text(chromedp.CSS("body")))
	for _, w := range want {
		if !strings.Contains(text, w) {
			b.t.Errorf("the page lacks %q: %s", w, text)
		}
	}
}

// shoot keeps what a page looks like on a phone and on a desk, by day and by
// night, and checks that nothing of it lies beyond the narrowest screen.
func (b browser) shoot(name string) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(360, 800))
	if wide := read(b, chromedp.Evaluate[int](`document.documentElement.scrollWidth`)); wide > 360 {
		b.t.Errorf("%s is %d pixels wide on a screen of 360", name, wide)
	}
	if folder := os.Getenv(screenshots); folder != "" {
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int64{360, 1200} {
				b.do(chromedp.EmulateViewport(width, 800), prefer(scheme))
				file := filepath.Join(folder, name+"-"+strconv.FormatInt(width, 10)+"-"+scheme+".png")
				if err := os.WriteFile(file, read(b, chromedp.FullScreenshot(100)), 0o600); err != nil {
					b.t.Fatal(err)
				}
			}
		}
	}
	b.do(chromedp.ResetViewport())
}

func prefer(scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})
}

// TestBrowserSignsInByCode signs in by a code, with a wrong one first, and
// out.
func TestBrowserSignsInByCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	b := newBrowser(t, w)
	b.open("/account")
	b.sees("Sign in")
	b.shoot("sign-in-codes")
	b.write("email", "grace@example.com")
	b.press("Send me a code", "Enter the code")
	b.shoot("code")
	code := w.code("grace@example.com")
	b.write("code", "00000000")
	b.press("Sign in", "Enter the code")
	b.says("not right")
	b.shoot("code-wrong")
	b.write("code", code[:4]+" "+code[4:])
	b.press("Sign in", "Your account")
	b.says("grace@example.com", "Code by mail", "this session")
	b.open("/sign-out")
	b.shoot("sign-out")
	b.press("Sign out", "You are signed out")
	b.shoot("signed-out")
	b.open("/account")
	b.sees("Sign in")
}

// TestBrowserSignsInByProvider signs in at the company's provider, adds a code
// to another address, takes that away again, and signs out everywhere.
func TestBrowserSignsInByProvider(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	b := newBrowser(t, w)
	b.open("/sign-in")
	b.shoot("sign-in")
	b.do(chromedp.Click(labelled("Continue with Company")), chromedp.WaitVisible(chromedp.CSS(`input[name="login"]`)))
	b.write("login", "ada")
	b.write("password", "any")
	b.do(
		chromedp.Click(chromedp.CSS(`input[value="login"] ~ button`)),
		chromedp.Click(chromedp.CSS(`input[value="consent"] ~ button`)),
	)
	b.sees("Your account")
	b.says("Ada Lovelace", "ada@company.example", "Company")

	b.write("email", "ada@private.example")
	b.press("Send", "Enter the code")
	b.write("code", w.code("ada@private.example"))
	b.press("Sign in", "Your account")
	b.says("Code by mail", "ada@private.example")
	b.shoot("account")
	b.do(
		chromedp.Click(chromedp.Search(`//li[contains(., "Code by mail")]//button`)),
		chromedp.WaitNotPresent(chromedp.Search(`//li[contains(., "Code by mail")]`)),
	)
	b.says("ada@company.example")
	b.press("Sign out everywhere", "You are signed out")
}

// TestBrowserAcceptsInvitation opens the link of a mail, signs up on the way,
// and accepts.
func TestBrowserAcceptsInvitation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	b := newBrowser(t, w)
	b.open("/invitations/" + theToken)
	b.sees("Join Difference Engines <Ltd>")
	b.says("Charles Babbage", "editor", "g…@example.com")
	b.shoot("invitation")
	b.press("Sign in to accept", "Sign in")
	b.write("email", "Grace@example.com")
	b.press("Send me a code", "Enter the code")
	b.write("code", w.code("Grace@example.com"))
	b.press("Sign in", "Join Difference Engines <Ltd>")
	b.shoot("invitation-signed-in")
	b.press("Accept", "Welcome to Difference Engines <Ltd>")
	b.says("editor")
	b.shoot("welcome")
	if len(w.invitations.accepted) != 1 {
		t.Errorf("accepted by %v", w.invitations.accepted)
	}
	b.open("/invitations/" + theToken)
	b.says("does not exist, has expired")
	b.shoot("invitation-gone")
}

// TestBrowserGoesOnToPrograms lets a device in, and takes a program's request
// from a form to the program's own address: no policy stands in the way.
func TestBrowserGoesOnToPrograms(t *testing.T) {
	t.Parallel()
	w, program := newWorld(t, false), newWorld(t, false) // another origin
	w.oauth.callback = program.URL + "/sign-out"
	b := newBrowser(t, w)
	b.open("/device?user_code=bcdfghjk")
	b.write("email", "ada@example.com")
	b.press("Send me a code", "Enter the code")
	b.write("code", w.code("ada@example.com"))
	b.press("Sign in", "Let a device in")
	b.says("Penstock command line", theDevice)
	b.shoot("device")
	b.press("Let it in", "The device is in")
	b.shoot("device-in")
	b.open("/device")
	b.shoot("device-code")
	b.write("user_code", "nonsense")
	b.press("Go on", "Let a device in")
	b.says("No device waits")

	b.open("/sign-out")
	b.press("Sign out", "You are signed out")
	b.open("/sign-in?authorization=" + string(theAuthorization))
	b.says("Penstock command line")
	b.shoot("sign-in-program")
	b.write("email", "ada@example.com")
	b.press("Send me a code", "Enter the code")
	b.write("code", w.code("ada@example.com"))
	b.press("Sign in", "You are signed out") // at the program, which knows nobody
	if at := read(b, chromedp.Location()); at != w.oauth.callback {
		t.Errorf("the browser is at %q; want %q", at, w.oauth.callback)
	}
}
