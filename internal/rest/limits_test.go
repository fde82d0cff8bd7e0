package rest

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// hand is a clock in the test's hand.
type hand struct{ now time.Time }

func (h *hand) Now() time.Time { return h.now }

func newHand() *hand { return &hand{time.Date(2026, 3, 2, 14, 30, 0, 123456789, time.UTC)} }

// told is what an answer's headers tell of limits.
type told struct{ RateLimit, RetryAfter string }

func toldBy(h http.Header) told { return told{h.Get("RateLimit"), h.Get("Retry-After")} }

func spend(l *Limits, who cloud.ID) (told, error) {
	w := httptest.NewRecorder()
	err := l.Spend(w, who)
	return toldBy(w.Header()), err
}

// TestLimitsOverTime follows one caller with two requests per second, and so
// eight at once.
func TestLimitsOverTime(t *testing.T) {
	t.Parallel()
	clock := newHand()
	l := NewLimits(2, clock.Now)
	for i, step := range []struct {
		pass  time.Duration
		times int // requests, of which the last is looked at
		want  told
		over  bool
	}{
		{0, 1, told{RateLimit: `"caller";r=7;t=1`}, false},
		{0, 6, told{RateLimit: `"caller";r=1;t=4`}, false},
		{0, 1, told{RateLimit: `"caller";r=0;t=4`}, false},
		{0, 1, told{`"caller";r=0;t=4`, "1"}, true},
		{499 * time.Millisecond, 100, told{`"caller";r=0;t=4`, "1"}, true},
		{time.Millisecond, 1, told{RateLimit: `"caller";r=0;t=4`}, false},
		{0, 1, told{`"caller";r=0;t=4`, "1"}, true},
		{time.Second, 1, told{RateLimit: `"caller";r=1;t=4`}, false},
		{3500 * time.Millisecond, 1, told{RateLimit: `"caller";r=7;t=1`}, false},
		{time.Hour, 1, told{RateLimit: `"caller";r=7;t=1`}, false}, // no more than the quota is saved
		{0, 7, told{RateLimit: `"caller";r=0;t=4`}, false},
		{-time.Hour, 1, told{RateLimit: `"caller";r=7;t=1`}, false}, // the clock was set back
		{-time.Second, 1, told{RateLimit: `"caller";r=4;t=2`}, false},
		{0, 4, told{RateLimit: `"caller";r=0;t=4`}, false},
		{-time.Millisecond, 1, told{RateLimit: `"caller";r=7;t=1`}, false},
	} {
		clock.now = clock.now.Add(step.pass)
		var got told
		var err error
		for range step.times {
			got, err = spend(l, "ada")
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("step %d (-want +got):\n%s", i, diff)
		}
		if over := cloud.CodeOf(err) == cloud.CodeLimited; over != step.over || err != nil && !over {
			t.Errorf("step %d: got %v; over: want %v", i, err, step.over)
		}
	}
}

// TestLimitsAreEachCallersOwn proves that nobody suffers from another.
func TestLimitsAreEachCallersOwn(t *testing.T) {
	t.Parallel()
	l := NewLimits(1, newHand().Now)
	for range 10 {
		_, _ = spend(l, "ada") // beyond her limit
	}
	if got, err := spend(l, "bob"); err != nil || got.RateLimit != `"caller";r=3;t=1` {
		t.Errorf("another caller got %+v, %v", got, err)
	}
}

// TestLimitsRoundDown proves that of a large quota less is promised than there
// is, and not more.
func TestLimitsRoundDown(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{63, 64, 65, 1000, 12345, MaxRate} {
		l := NewLimits(rate, newHand().Now)
		quota := rate * int(burstSpan/time.Second)
		if n := len(l.callers.left); n > leftSteps+1 {
			t.Errorf("%d per second: %d values of the header are kept", rate, n)
		}
		for n := 1; n <= min(quota, 3000); n++ {
			got, err := spend(l, "ada")
			var left int
			if _, scan := fmt.Sscanf(got.RateLimit, `"caller";r=%d;`, &left); scan != nil || err != nil {
				t.Fatalf("%d per second, request %d: %+v, %v", rate, n, got, err)
			}
			if is := quota - n; left > is || left <= is-int(l.callers.step) {
				t.Fatalf("%d per second, request %d: says that %d are left of %d", rate, n, left, is)
			}
		}
	}
}

// TestLimitsInBoundedMemory has more callers than are remembered.
func TestLimitsInBoundedMemory(t *testing.T) {
	t.Parallel()
	l := NewLimits(1, newHand().Now)
	for n := range maxLimited + 10 {
		_, _ = spend(l, cloud.ID(fmt.Sprint(n)))
	}
	if got := l.callers.whole.Len(); got != maxLimited {
		t.Errorf("%d callers are remembered; want %d", got, maxLimited)
	}
}

// TestLimitsOfAddresses is about requests of nobody known: who shares an
// address, and what counts against it.
func TestLimitsOfAddresses(t *testing.T) {
	t.Parallel()
	unknown, away := cloud.Unauthenticated("no"), cloud.Unavailable(errors.New("away"))
	for name, c := range map[string]struct {
		before, then string // addresses
		reason, want error
	}{
		"the same":                {"192.0.2.1", "192.0.2.1", unknown, cloud.Limited("")},
		"the same, written new":   {"192.0.2.1", "::ffff:192.0.2.1", unknown, cloud.Limited("")},
		"another":                 {"192.0.2.1", "192.0.2.2", unknown, unknown},
		"IPv6, the same /64":      {"2001:db8::1", "2001:db8::ffff:2", unknown, cloud.Limited("")},
		"IPv6, another /64":       {"2001:db8::1", "2001:db8:0:1::1", unknown, unknown},
		"no addresses":            {"@", "pipe", unknown, cloud.Limited("")},
		"another failure is free": {"192.0.2.1", "192.0.2.1", away, away},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := NewLimits(5, newHand().Now) // 20 at once, and so two failures
			for range 3 {
				_ = l.Refuse(httptest.NewRecorder(), c.before, unknown)
			}
			w := httptest.NewRecorder()
			got := l.Refuse(w, c.then, c.reason)
			if cloud.CodeOf(got) != cloud.CodeOf(c.want) {
				t.Errorf("got %v; want %v", got, c.want)
			}
			if limited := w.Header().Get("Retry-After") != ""; limited != (cloud.CodeOf(got) == cloud.CodeLimited) {
				t.Errorf("got %v with the headers %v", got, w.Header())
			}
		})
	}
}

// TestLimitsOfStrangers is about pages before there is a token: to fail there
// counts as much as ten that do not.
func TestLimitsOfStrangers(t *testing.T) {
	t.Parallel()
	clock := newHand()
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fails" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	h := NewLimits(5, clock.Now).Strangers(Errors{Log: slog.New(slog.DiscardHandler)}, func(r *http.Request) string { return r.RemoteAddr }, page)
	for i, step := range []struct {
		path, from string
		pass       time.Duration
		status     int
		left       string
	}{
		{"/", "192.0.2.1", 0, 200, `"address";r=19;t=1`},
		{"/fails", "192.0.2.1", 0, 401, `"address";r=18;t=1`},
		{"/", "192.0.2.1", 0, 200, `"address";r=8;t=3`},
		{"/fails", "192.0.2.1", 0, 401, `"address";r=7;t=3`}, // takes all that is left
		{"/", "192.0.2.1", 0, 429, `"address";r=0;t=4`},
		{"/", "192.0.2.2", 0, 200, `"address";r=19;t=1`},
		{"/", "192.0.2.1", 200 * time.Millisecond, 200, `"address";r=0;t=4`},
	} {
		clock.now = clock.now.Add(step.pass)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, step.path, nil)
		r.RemoteAddr = step.from
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := w.Header().Get("RateLimit"); w.Code != step.status || got != step.left {
			t.Errorf("step %d: got %d, %s; want %d, %s", i, w.Code, got, step.status, step.left)
		}
	}
}

// TestNoLimits proves that limits can be left out.
func TestNoLimits(t *testing.T) {
	t.Parallel()
	l := NewLimits(0, time.Now)
	for range 1000 {
		if got, err := spend(l, "ada"); err != nil || got != (told{}) {
			t.Fatalf("got %+v, %v", got, err)
		}
	}
	unknown := cloud.Unauthenticated("no")
	if got := l.Refuse(httptest.NewRecorder(), "192.0.2.1", unknown); got != unknown { //nolint:errorlint // it is passed on
		t.Errorf("got %v; want %v", got, unknown)
	}
}

// TestSpendingAllocatesNothing proves that a request of somebody who is known
// costs no memory, beside what a recorder needs for its headers.
func TestSpendingAllocatesNothing(t *testing.T) {
	l := NewLimits(DefaultRate, newHand().Now)
	w := httptest.NewRecorder()
	if err := l.Spend(w, "ada"); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { _ = l.Spend(w, "ada") }); n != 0 {
		t.Errorf("%v allocations; want none", n)
	}
}
