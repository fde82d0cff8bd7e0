package infrastructureapi_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/penstock-cloud/penstock/internal/rest"
)

// quota is how many requests a caller has in the worlds that are limited; two
// that fail are an address's. The time stands still.
const quota = 20

func limited(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.api.Limits = rest.NewLimits(quota/4, func() time.Time { return start })
	return w
}

// exhaust uses up a caller's quota.
func (w *world) exhaust(who string) {
	w.t.Helper()
	for range quota {
		w.get(who, "/capabilities").want(http.StatusOK)
	}
}

// TestEveryOperationIsLimited asks for every operation as a caller whose quota
// is used up: that comes after the token and before everything else, changes
// nothing, and leaves others alone.
func TestEveryOperationIsLimited(t *testing.T) {
	t.Parallel()
	for operation, request := range examples {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			w := limited(t)
			w.exhaust(admin)
			before := w.region.dump()
			for _, headers := range [][]string{nil, {"X-ORG-ID", "acme"}, {"X-PROJECT-ID", ""}} {
				r := w.call(admin, request.method, request.path, "{", headers...).want(http.StatusTooManyRequests).says("try again in 1 s")
				got := []string{r.header.Get("RateLimit"), r.header.Get("RateLimit-Policy"), r.header.Get("Retry-After")}
				if diff := cmp.Diff([]string{`"caller";r=0;t=4`, `"caller";q=20;w=4`, "1"}, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", r.what, diff)
				}
			}
			if diff := cmp.Diff(before, w.region.dump()); diff != "" {
				t.Errorf("refused, and yet something changed:\n%s", diff)
			}
			w.call(badToken, request.method, request.path, "{").want(http.StatusUnauthorized)
			if got := w.get(viewer, "/instances").want(http.StatusOK).header.Get("RateLimit"); got != `"caller";r=19;t=1` {
				t.Errorf("another caller has %s left", got)
			}
		})
	}
}

// TestFailingAddressesAreLimited proves that too many tokens that do not hold
// are refused for that, and that whoever has a good one is not.
func TestFailingAddressesAreLimited(t *testing.T) {
	t.Parallel()
	w := limited(t)
	for range 2 {
		w.get(badToken, "/instances").want(http.StatusUnauthorized)
	}
	for _, who := range []string{badToken, anonymous} {
		r := w.get(who, "/instances").want(http.StatusTooManyRequests)
		if got := r.header.Get("RateLimit"); got != `"address";r=0;t=4` || r.header.Get("Retry-After") != "2" {
			t.Errorf("%s: got %s and %s", r.what, got, r.header.Get("Retry-After"))
		}
	}
	w.get(viewer, "/instances").want(http.StatusOK)
}
