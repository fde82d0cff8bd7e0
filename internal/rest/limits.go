package rest

import (
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"time"

	"github.com/penstock-cloud/penstock/internal/cloud"
)

// The rates that can be set, in requests per second.
const (
	DefaultRate = 50
	MaxRate     = 1_000_000
)

const (
	// burstSpan is for how long somebody's whole quota has to last: so much more
	// than their rate they may ask at once, if they were quiet before.
	burstSpan = 4 * time.Second
	// failureCost is what a request of somebody unknown takes, in requests: more
	// than others, since it is a mistake, or a guess.
	failureCost = 10
	// maxAttempts is how often an address may guess a secret that people type, or
	// have one sent, in an attemptSpan. Behind it may be a whole office.
	maxAttempts = 60
	attemptSpan = 10 * time.Minute
)

// Limits bounds how often callers ask, each for themselves, and how often an
// address fails to say who is calling. Whoever has a good token is not bound by
// their address, which they may share with many. Each process counts by itself.
//
// Nil is without limits. It is safe for concurrent use.
type Limits struct {
	callers   *limiter[cloud.ID]
	addresses *limiter[netip.Addr]
	attempts  *limiter[netip.Addr]
}

// NewLimits returns limits of so many requests per second, up to MaxRate, and
// four times as many at once; nil for 0.
func NewLimits(rate int, now func() time.Time) *Limits {
	if rate == 0 {
		return nil
	}
	quota := int64(rate) * int64(burstSpan/time.Second)
	return &Limits{
		callers:   newLimiter[cloud.ID]("caller", quota, burstSpan, now),
		addresses: newLimiter[netip.Addr]("address", quota, burstSpan, now),
		attempts:  newLimiter[netip.Addr]("attempts", maxAttempts, attemptSpan, now),
	}
}

// CheckRate holds for rates that are set.
func CheckRate(rate int) error {
	if rate < 0 || rate > MaxRate {
		return cloud.Invalid("a rate must be 0, for no limit, to %d requests per second; got %d", MaxRate, rate)
	}
	return nil
}

// Spend counts a request of a caller whose token holds, and tells them in
// headers how many are left. CodeLimited if there was none.
func (l *Limits) Spend(w http.ResponseWriter, caller cloud.ID) error {
	if l == nil {
		return nil
	}
	return l.callers.answer(w, caller, 1)
}

// Refuse counts a request whose token does not hold, for that reason, against
// the address that it came from, and returns what to answer: the reason, or
// CodeLimited once there were too many. Other reasons are not the address's.
func (l *Limits) Refuse(w http.ResponseWriter, address string, reason error) error {
	if l == nil || cloud.CodeOf(reason) != cloud.CodeUnauthenticated {
		return reason
	}
	if err := l.addresses.answer(w, network(address), failureCost); err != nil {
		return err
	}
	return reason
}

// Visit counts a request of who has no token, against the address that it came
// from, and tells them in headers how many are left. CodeLimited if there was
// none.
func (l *Limits) Visit(w http.ResponseWriter, address string) error {
	if l == nil {
		return nil
	}
	return l.addresses.answer(w, network(address), 1)
}

// Attempt is Visit for a request that may guess a secret which people type, or
// has one sent to them: a few in a minute.
func (l *Limits) Attempt(w http.ResponseWriter, address string) error {
	if l == nil {
		return nil
	}
	return l.attempts.answer(w, network(address), 1)
}

// Strangers limits pages that people and programs call before they have a token:
// by the address, where failing to authenticate counts more.
func (l *Limits) Strangers(errs Errors, address func(*http.Request) string, next http.Handler) http.Handler {
	if l == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from := address(r)
		if err := l.Visit(w, from); err != nil {
			errs.Write(w, r, err)
			return
		}
		noting := &statusNote{ResponseWriter: w}
		next.ServeHTTP(noting, r)
		if noting.status == http.StatusUnauthorized {
			l.addresses.take(network(from), failureCost-1)
		}
	})
}

// statusNote notes the status of an answer.
type statusNote struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (n *statusNote) WriteHeader(status int) {
	n.status = status
	n.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (n *statusNote) Unwrap() http.ResponseWriter { return n.ResponseWriter }

// network is what an address is counted by: of IPv6, the /64 in which whoever has
// one address has all (RFC 6177). What is no address is counted as one.
func network(address string) netip.Addr {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Addr{}
	}
	if a = a.Unmap(); a.Is4() {
		return a
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr()
}

// answer spends, and says in the answer's headers what is left, as
// draft-ietf-httpapi-ratelimit-headers has it.
func (l *limiter[K]) answer(w http.ResponseWriter, who K, units int64) error {
	left, wait := l.spend(who, units)
	h := w.Header()
	h["Ratelimit-Policy"], h["Ratelimit"] = l.policy, l.left[left/l.step]
	if wait == 0 {
		return nil
	}
	seconds := int64(math.Ceil(wait.Seconds()))
	h.Set("Retry-After", fmt.Sprint(seconds))
	return cloud.Limited("too many requests; try again in %d s", seconds)
}
