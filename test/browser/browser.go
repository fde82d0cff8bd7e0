package browser

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

// Browser is a headless Chromium with a profile of its own, which reaches
// nothing but this machine.
type Browser struct {
	context.Context
	t    testing.TB
	site string
}

// screenshots is the folder that keeps what the pages look like, if it is set.
const screenshots = "PENSTOCK_TEST_SCREENSHOTS"

// New starts one for a site, which is an URL without a path, and ends it with the
// test. Where there is no Chromium the test is skipped; in CI it fails.
func New(t testing.TB, site string) Browser {
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
	b := Browser{ctx, t, site}
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil { // it lives as long as ctx, and not as the first step
		t.Fatal(err)
	}
	return b
}

// stepTime is more than any step takes: what it ends does not work.
const stepTime = 20 * time.Second

// Do takes steps, and shows where they got stuck.
func (b Browser) Do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	Read(b, chromedp.Steps(steps...))
}

// Read is Do for a step that finds something out.
func Read[T any](b Browser, step chromedp.Action[T]) T {
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

// Open goes to a path of the site.
func (b Browser) Open(path string) { b.t.Helper(); b.Do(chromedp.Navigate(b.site + path)) }

// Labelled is a button, or what looks like one.
func Labelled(label string) chromedp.Search {
	return chromedp.Search(`//button[normalize-space()="` + label + `"] | //a[normalize-space()="` + label + `"]`)
}

// Press presses a button, and waits for the heading of the page after it, which
// may be that of the page before.
func (b Browser) Press(label, heading string) {
	b.t.Helper()
	b.Do(
		chromedp.Evaluate[chromedp.Void](`document.documentElement.setAttribute("data-left", "")`),
		chromedp.Click(Labelled(label)),
	)
	b.Sees(heading)
}

// Sees waits for the heading of a page.
func (b Browser) Sees(heading string) {
	b.t.Helper()
	b.Do(chromedp.WaitVisible(chromedp.Search(`//html[not(@data-left)]//h1[normalize-space()="` + heading + `"]`)))
}

// Write types into a field, by its name.
func (b Browser) Write(field, text string) {
	b.t.Helper()
	b.Do(chromedp.SendKeys(chromedp.CSS(`input[name="`+field+`"]`), text))
}

// Says checks what a page says.
func (b Browser) Says(want ...string) {
	b.t.Helper()
	text := Read(b, chromedp.Text(chromedp.CSS("body")))
	for _, w := range want {
		if !strings.Contains(text, w) {
			b.t.Errorf("the page lacks %q: %s", w, text)
		}
	}
}

// Shoot keeps what a page looks like on a phone and on a desk, by day and by
// night, and checks that nothing of it lies beyond the narrowest screen.
func (b Browser) Shoot(name string) {
	b.t.Helper()
	b.Do(chromedp.EmulateViewport(360, 800))
	if wide := Read(b, chromedp.Evaluate[int](`document.documentElement.scrollWidth`)); wide > 360 {
		b.t.Errorf("%s is %d pixels wide on a screen of 360", name, wide)
	}
	if folder := os.Getenv(screenshots); folder != "" {
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int64{360, 1200} {
				b.Do(chromedp.EmulateViewport(width, 800), prefer(scheme))
				file := filepath.Join(folder, name+"-"+strconv.FormatInt(width, 10)+"-"+scheme+".png")
				if err := os.WriteFile(file, Read(b, chromedp.FullScreenshot(100)), 0o600); err != nil {
					b.t.Fatal(err)
				}
			}
		}
	}
	b.Do(chromedp.ResetViewport())
}

func prefer(scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})
}
